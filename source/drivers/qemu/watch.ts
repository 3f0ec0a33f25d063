import type {InstanceRecord} from '../../model/instance.ts';
import type {DriverEvent, InstancePlace} from '../driver.ts';
import {filesOf} from '../machine/files.ts';
import type {Shared} from './context.ts';
import {connectQmp, type QmpEvent} from './qmp.ts';

/** Pauses between attempts to connect, milliseconds; the last one is repeated. */
const pauses = [50, 200, 500, 1000, 2000];

const words: Readonly<Record<string, string>> = {
	SHUTDOWN: 'powered off',
	RESET: 'rebooted',
	STOP: 'paused',
	RESUME: 'goes on',
	GUEST_PANICKED: 'crashed',
	BLOCK_IO_ERROR: 'has trouble with its disk',
};

/**
 * Listens on the second monitor for what happens to an instance, connecting again whenever the connection ends. What
 * drover itself is just doing to the instance is not told.
 */
export function watch(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	listener: (event: DriverEvent) => void,
): {close(): void} {
	const {id} = record;
	const files = filesOf(place);
	const ending = new AbortController();
	const tell = (what: string) => {
		if (!ending.signal.aborted && !shared.lanes.isBusy(id)) listener({id, what});
	};
	const onEvent = (event: QmpEvent) => {
		const what = words[event.name];
		if (what !== undefined) tell(what);
	};

	const listen = async () => {
		const client = await connectQmp(files.watchMonitor, {timeoutMs: 5000, signal: ending.signal});
		const close = () => client.close();
		ending.signal.addEventListener('abort', close, {once: true});
		client.onEvent(onEvent);
		shared.monitors.addWatch(files, client);
		try {
			await client.closed;
		} finally {
			ending.signal.removeEventListener('abort', close);
		}
	};

	const loop = async () => {
		let failures = 0;
		// It is called for what runs: a process that ended before we could listen has to be told as well.
		let wasThere = true;
		while (!ending.signal.aborted) {
			const hasListened = await listen().then(
				() => true,
				() => false,
			);
			failures = hasListened ? 0 : failures + 1;
			const isThere = (await shared.machines.find(id, files).catch(() => undefined)) !== undefined;
			if (hasListened && isThere) tell('lost sight of');
			else if (!isThere && (hasListened || wasThere)) tell('ended');
			wasThere = isThere;
			await pause(pauses[Math.min(failures, pauses.length - 1)]!, ending.signal);
		}
	};
	void loop();
	return {close: () => ending.abort()};
}

/** Does not keep the process from ending. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
	return new Promise(resolve => {
		if (signal.aborted) return resolve();
		const timer = setTimeout(resolve, milliseconds);
		timer.unref();
		signal.addEventListener(
			'abort',
			() => {
				clearTimeout(timer);
				resolve();
			},
			{once: true},
		);
	});
}
