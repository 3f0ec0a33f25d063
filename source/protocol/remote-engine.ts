import {type Engine, type EngineEvent, engineMethods} from '../engine/engine.ts';
import {isRecord} from './messages.ts';
import type {RpcClient} from './rpc-client.ts';

/** The engine of a daemon: every method is a message to it. */
export function remoteEngine(rpc: RpcClient): Engine {
	const listeners = new Set<(event: EngineEvent) => void>();
	rpc.onNotification((method, params) => {
		if (method !== 'event' || !isRecord(params)) return;
		for (const listener of [...listeners]) listener(params as EngineEvent);
	});
	// A lost line is told by `closed` and by the next request; nobody waits for these two.
	const tell = (method: string) => void rpc.request(method).catch(() => {});
	const methods = Object.fromEntries(
		engineMethods.map(method => [method, (request?: unknown) => rpc.request(method, request)]),
	) as unknown as Pick<Engine, (typeof engineMethods)[number]>;
	return {
		...methods,
		subscribe(listener) {
			// Messages arrive in order, so the subscription is in force before any request that is sent after it.
			const own = (event: EngineEvent) => listener(event);
			listeners.add(own);
			if (listeners.size === 1) tell('subscribe');
			return {
				close() {
					if (listeners.delete(own) && listeners.size === 0) tell('unsubscribe');
				},
			};
		},
		async close() {
			rpc.close();
			await rpc.closed;
		},
	};
}
