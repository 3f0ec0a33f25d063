import type {GuestAgent} from '../machine/guest.ts';
import {asObject} from '../machine/json.ts';
import {NoAnswer} from '../machine/no-answer.ts';
import {type Virsh, VirshError} from './virsh.ts';

const notThere = /agent is not (?:connected|responding|available|configured)|agent not available|QEMU guest agent/i;

/** The guest's agent by way of libvirt, which holds its channel. What it says comes from inside the guest. */
export function guestAgent(virsh: Virsh, id: string): GuestAgent {
	return {
		async execute(command, parameters, {timeoutMs = 3000, signal} = {}) {
			const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
			const question = JSON.stringify({execute: command, ...(parameters && {arguments: parameters})});
			try {
				const text = await virsh.ask(['qemu-agent-command', id, '--timeout', seconds, question], {
					timeoutMs: timeoutMs + 500,
					signal,
				});
				return asObject(JSON.parse(text))['return'];
			} catch (error) {
				throw agentError(error);
			}
		},
	};
}

function agentError(error: unknown): NoAnswer {
	if (error instanceof SyntaxError) return new NoAnswer('silent', 'the guest agent’s answer is not JSON');
	if (!(error instanceof VirshError)) return new NoAnswer('silent', (error as Error).message);
	if (error.problem === 'aborted') return new NoAnswer('aborted', error.message);
	const isRefusal = error.problem === 'refused' && !notThere.test(error.message);
	return new NoAnswer(isRefusal ? 'refused' : 'silent', error.message);
}
