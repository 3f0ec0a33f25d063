import {rm} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {cancelled} from '../machine/lanes.ts';
import {findOwn, type Job, missing} from './context.ts';
import {isMissing, LxdError} from './errors.ts';
import {startFailure} from './failure-log.ts';
import {code, type Listed} from './instance-state.ts';
import {perform} from './operation.ts';

/** How long the server may take to start something; it may have to map the owners of all files first. */
const startPatienceMs = 10 * 60_000;
/** What an unresponsive guest is given to end when it is to be rebooted, in seconds. */
const rebootSeconds = 60;

type Change = {
	readonly action: 'start' | 'stop' | 'restart' | 'unfreeze';
	readonly timeout?: number;
	readonly force?: boolean;
};

function change(job: Job, body: Change, patienceMs: number, signal: AbortSignal | undefined = job.signal) {
	const {server, path, project} = job;
	return perform(server.client, 'PUT', `${path}/state`, {query: {project}, body, patienceMs, signal});
}

/** Boots it. @throws DroverError `instance.broken` (not there any more), `driver.failed` with the reason from its log */
export async function start(job: Job): Promise<void> {
	const {work} = job;
	for (let attempt = 1; ; attempt++) {
		const found = await findOwn(job);
		if (found === undefined) throw missing(job);
		if (isRunning(found)) return;
		if (isFrozen(found)) {
			work.log('Its processes were found frozen; they are let go on.');
			await change(job, {action: 'unfreeze'}, 30_000);
			return;
		}
		if (found.status !== code.stopped) {
			await settle(job, found);
			continue;
		}
		work.progress('starting');
		try {
			await change(job, {action: 'start'}, startPatienceMs);
			return;
		} catch (error) {
			if (!(error instanceof LxdError) || error.problem === 'aborted') throw error;
			// Somebody else has started it in the same moment, or is about to; or the end of it was missed.
			if (attempt < 5 && (error.problem === 'gone' || /already running|busy/i.test(error.message))) {
				await sleep(200);
				continue;
			}
			const now = await findOwn(job).catch(() => undefined);
			if (now !== undefined && isRunning(now)) return;
			throw error.problem === 'refused' ? await startFailure(job, error, now?.type ?? found.type) : error;
		}
	}
}

/** Asks the guest to power off and waits until it has. */
export async function stop(job: Job, timeoutMs: number): Promise<void> {
	const found = await thawed(job);
	if (found === undefined || found.status === code.stopped) return;
	const timeout = Math.max(1, Math.ceil(timeoutMs / 1000));
	try {
		await change(job, {action: 'stop', timeout}, timeoutMs + 30_000);
	} catch (error) {
		if (!(error instanceof LxdError) || error.problem === 'aborted') throw error;
		const now = await findOwn(job);
		if (now === undefined || now.status === code.stopped) return;
		if (error.problem === 'refused' || error.problem === 'silent' || error.problem === 'gone') {
			throw new DroverError('guest.unanswered', `The guest has not powered off within ${timeout} s.`, {
				next: 'Cut its power with stop --force.',
				cause: error,
			});
		}
		throw error;
	}
}

/** Ends it at once. Accepted by the server also while a graceful stop is waiting. */
export async function powerOff(job: Job): Promise<void> {
	for (let attempt = 1; ; attempt++) {
		const found = await thawed(job);
		if (found === undefined || found.status === code.stopped) return;
		try {
			await change(job, {action: 'stop', force: true}, 120_000);
			return;
		} catch (error) {
			if (!(error instanceof LxdError) || error.problem === 'aborted') throw error;
			const now = await findOwn(job);
			if (now === undefined || now.status === code.stopped) return;
			if (attempt >= 5) throw error;
			// A stop or start that is under way has to end first.
			await sleep(500);
		}
	}
}

/** Ends and boots it. The server has no gentler way that tells whether it worked. */
export async function reboot(job: Job): Promise<void> {
	const found = await thawed(job);
	if (found === undefined || !isRunning(found)) {
		throw new DroverError('instance.state', 'The instance is not running, so it cannot be rebooted.', {
			next: 'Start it first.',
		});
	}
	try {
		await change(job, {action: 'restart', timeout: rebootSeconds}, startPatienceMs);
	} catch (error) {
		if (!(error instanceof LxdError) || error.problem !== 'refused') throw error;
		const now = await findOwn(job);
		// It powered off by itself and was not started again.
		if (now?.status === code.stopped) return start(job);
		throw new DroverError('guest.unanswered', `The guest does not reboot: ${error.message.replace(/\.$/, '')}.`, {
			next: 'Cut its power with stop --force, and start it again.',
			cause: error,
		});
	}
}

/** Removes what the server has of it, in the trash or not; what is not drover's is left alone. */
export async function destroy(job: Job): Promise<void> {
	const {server, project, path, place} = job;
	await powerOff(job);
	if ((await findOwn(job)) !== undefined) {
		await perform(server.client, 'DELETE', path, {query: {project}, patienceMs: 10 * 60_000}).catch(
			(error: unknown) => {
				if (!isMissing(error) && !(error instanceof LxdError && error.problem === 'gone')) throw error;
			},
		);
	}
	await rm(place.sockets, {recursive: true, force: true});
}

/** A frozen guest can neither end nor be ended on some servers. */
async function thawed(job: Job): Promise<Listed | undefined> {
	const found = await findOwn(job);
	if (found === undefined || !isFrozen(found)) return found;
	await change(job, {action: 'unfreeze'}, 30_000);
	return findOwn(job);
}

/** Waits while the server is in the middle of something with it. */
async function settle(job: Job, {status}: Listed): Promise<void> {
	for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(200)) {
		if (job.signal.aborted) throw cancelled();
		const found = await findOwn(job);
		if (found === undefined || found.status !== status) return;
	}
	throw new DroverError(
		'driver.unresponsive',
		'The server does not get on with what it has begun with this instance.',
		{
			next: 'Cut its power with stop --force, and start it again.',
		},
	);
}

function isRunning({status}: Listed): boolean {
	return status === code.running || status === code.started || status === code.thawed || status === code.ready;
}

function isFrozen({status}: Listed): boolean {
	return status === code.frozen || status === code.freezing;
}
