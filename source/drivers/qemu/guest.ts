import type {InstanceFiles} from '../machine/files.ts';
import {type AgentChannel, connectGuestAgent} from './qga.ts';

/** The agent's channel has one client at a time: whoever comes second waits. */
const queues = new Map<string, Promise<unknown>>();

/** Runs one conversation with the agent of a guest. @throws QmpError, and what `work` throws */
export async function withAgent<T>(
	files: InstanceFiles,
	options: {timeoutMs: number; signal?: AbortSignal},
	work: (agent: AgentChannel) => Promise<T>,
): Promise<T> {
	const before = queues.get(files.agent) ?? Promise.resolve();
	const mine = before
		.catch(() => {})
		.then(async () => {
			const agent = await connectGuestAgent(files.agent, options);
			try {
				return await work(agent);
			} finally {
				agent.close();
			}
		});
	queues.set(files.agent, mine);
	try {
		return await mine;
	} finally {
		if (queues.get(files.agent) === mine) queues.delete(files.agent);
	}
}
