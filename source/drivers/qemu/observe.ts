import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';
import {foreignReason} from '../machine/context.ts';
import {filesOf} from '../machine/files.ts';
import {asObject} from '../machine/json.ts';
import {sshPortOf} from '../machine/process.ts';
import {atRest, type Power} from '../machine/rest.ts';
import type {Shared} from './context.ts';
import {endAllServing} from './mounts/serving.ts';
import {QmpError} from './qmp.ts';

/** What `observe` may take in all is a second; the rest is for what is done besides asking QEMU. */
const answerTimeoutMs = 800;

/** What is so, from evidence: the process, its monitor's answer, the files. Never throws. */
export async function observe(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	timeoutMs = answerTimeoutMs,
): Promise<Observation> {
	const nowhere = {ipv4: [], observedAt: Date.now()};
	try {
		const files = filesOf(place);
		const found = await shared.machines.find(record.id, files);
		if (!found) {
			// What served its mounts has lost its machine, or never had one when a daemon was killed in between.
			if (!shared.lanes.isBusy(record.id)) await endAllServing(place);
			return {...(await atRest(record, files)), ...nowhere};
		}
		if (found.runner !== 'qemu') return {power: 'unusable', reason: foreignReason(found), ...nowhere};
		const port = sshPortOf(found);
		const answer = asObject(await shared.monitors.ask(files, 'query-status', {timeoutMs}));
		return {
			...powerOf(String(answer['status'])),
			...nowhere,
			...(found.since === undefined ? {} : {runningSince: Math.trunc(found.since)}),
			...(port === undefined ? {} : {ssh: {host: '127.0.0.1', port}}),
		};
	} catch (error) {
		if (error instanceof QmpError) {
			const reason =
				error.problem === 'silent' ? 'QEMU runs, but does not answer' : 'QEMU runs, but its monitor cannot be reached';
			// It may have ended between being found and being asked.
			const files = filesOf(place);
			const isThere = await shared.machines.find(record.id, files).catch(() => undefined);
			if (isThere) return {power: 'unresponsive', reason, ...nowhere};
			return {...(await atRest(record, files).catch(() => ({power: 'off' as const}))), ...nowhere};
		}
		return {power: 'unusable', reason: `it could not be looked at: ${(error as Error).message}`, ...nowhere};
	}
}

/** QEMU's run states in our words. Source: QEMU, `qapi/run-state.json`. */
export function powerOf(status: string): Power {
	switch (status) {
		case 'running':
			return {power: 'running'};
		case 'inmigrate':
		case 'restore-vm':
			return {power: 'loading'};
		case 'io-error':
			return {
				power: 'paused',
				reason: 'its disk could not be written, most likely because the host’s disk is full; starting it goes on',
			};
		case 'internal-error':
		case 'guest-panicked':
		case 'watchdog':
			return {power: 'unresponsive', reason: `the guest is broken (${status})`};
		default:
			return {power: 'paused'};
	}
}
