import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {type RunResult, run} from '../machine/programs.ts';
import {libvirtEnvironment} from './connection.ts';

/**
 * Why virsh gave no answer. `absent`: libvirt does not know the machine. `unreachable`: there is no libvirt to ask.
 * `silent`: it did not answer in time. `refused`: it said no. `aborted`: we no longer want it.
 */
export type VirshProblem = 'absent' | 'unreachable' | 'silent' | 'refused' | 'aborted';

export class VirshError extends Error {
	override readonly name = 'VirshError';
	readonly problem: VirshProblem;

	constructor(problem: VirshProblem, message: string) {
		super(message);
		this.problem = problem;
	}
}

export type VirshOptions = {
	/** Default 10 000. */
	readonly timeoutMs?: number;
	/** Ends virsh, not what libvirt has begun for it. */
	readonly signal?: AbortSignal | undefined;
};

/** libvirt's own client, one short process a question. */
export class Virsh {
	readonly program: string;
	readonly uri: string;

	constructor(program: string, uri: string) {
		this.program = program;
		this.uri = uri;
	}

	/** @returns what it printed. @throws VirshError */
	async ask(args: readonly string[], {timeoutMs = 10_000, signal}: VirshOptions = {}): Promise<string> {
		if (signal?.aborted) throw new VirshError('aborted', 'no longer wanted');
		const result = await run(this.program, ['-q', '-c', this.uri, ...args], {
			timeoutMs,
			signal,
			environment: libvirtEnvironment(),
		});
		if (result.code === 0) return result.stdout;
		if (signal?.aborted) throw new VirshError('aborted', 'no longer wanted');
		throw failureOf(result);
	}
}

const unreachable =
	/failed to connect to the hypervisor|failed to connect socket|cannot recv data|end of file while reading|client socket is closed|cannot write data|connection reset/i;
const absent = /failed to get domain|domain not found|no domain with matching|domain is not running/i;

export function failureOf(result: RunResult): VirshError {
	if (result.timedOut) return new VirshError('silent', 'libvirt did not answer in time');
	const message = reasonIn(result.stderr);
	if (absent.test(result.stderr)) return new VirshError('absent', message);
	if (unreachable.test(result.stderr)) return new VirshError('unreachable', message);
	return new VirshError('refused', message);
}

/** What names a cause that is known, among all that QEMU says when it fails. */
const known =
	/host forwarding rule|write" lock|unsupported machine type|does not support machine type|allocate memory/i;

/**
 * The reason in what virsh wrote, safe to show. libvirt repeats QEMU's last words, with times and paths, after its own.
 */
export function reasonIn(stderr: string): string {
	const lines = stderr
		.split('\n')
		.map(line => plainLine(line))
		.filter(line => line !== '' && !/: warning:/.test(line));
	const line = lines.find(each => known.test(each)) ?? lines.at(-1) ?? 'it does not say why';
	return line
		.replace(/^error: /, '')
		.replace(/^(?:internal error|operation failed|Requested operation is not valid|unsupported configuration): /i, '')
		.replace(/^(?:qemu unexpectedly closed the monitor|process exited while connecting to monitor): /i, '')
		.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, '')
		.replace(/^\S*qemu-system-\S+: /, '')
		.slice(0, 300);
}

/** What libvirt did not do, in words. */
export function virshError(error: unknown, doing: string): unknown {
	if (!(error instanceof VirshError)) return error;
	switch (error.problem) {
		case 'aborted':
			return new DroverError('operation.cancelled', `Cancelled while ${doing}.`);
		case 'refused':
			return new DroverError('driver.failed', `libvirt refused while ${doing}: ${error.message}.`, {cause: error});
		case 'absent':
			return new DroverError('driver.failed', `The machine ended while ${doing}.`, {cause: error});
		case 'unreachable':
			return new DroverError('driver.unusable', `libvirt cannot be reached: ${error.message}.`, {
				next: 'See what is wrong with drover doctor.',
				cause: error,
			});
		default:
			return new DroverError('driver.unresponsive', `libvirt does not answer while ${doing}.`, {
				next: 'Wait a moment, or see what is wrong with drover doctor.',
				cause: error,
			});
	}
}
