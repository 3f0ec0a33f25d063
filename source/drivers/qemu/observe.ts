import {open, stat} from 'node:fs/promises';
import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';
import type {Shared} from './context.ts';
import {filesOf, type InstanceFiles} from './files.ts';
import {findProcess, sshPortOf} from './process.ts';
import {asObject, QmpError} from './qmp.ts';
import {exists, unrecordedStamp} from './saved-memory.ts';

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
		const found = await findProcess(record.id, files);
		if (!found) return {...(await atRest(record, files)), ...nowhere};
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
			const isThere = await findProcess(record.id, files).catch(() => undefined);
			if (isThere) return {power: 'unresponsive', reason, ...nowhere};
			return {...(await atRest(record, files).catch(() => ({power: 'off' as const}))), ...nowhere};
		}
		return {power: 'unusable', reason: `it could not be looked at: ${(error as Error).message}`, ...nowhere};
	}
}

type Power = Pick<Observation, 'power' | 'reason'>;

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

async function atRest(record: InstanceRecord, files: InstanceFiles): Promise<Power> {
	const problem = await diskProblem(files.disk);
	if (problem !== undefined) return {power: 'unusable', reason: problem};
	if (record.suspended) return {power: 'suspended'};
	// Written completely, but a crash kept it from being recorded.
	if ((await exists(files.state)) && (await unrecordedStamp(record, files))) return {power: 'suspended'};
	return {power: 'off'};
}

/** Why a disk could not be run from: missing, not a qcow2 image, or its image in the cache is gone. */
export async function diskProblem(disk: string): Promise<string | undefined> {
	const handle = await open(disk, 'r').catch((error: NodeJS.ErrnoException) => error.code ?? 'unreadable');
	if (typeof handle === 'string') {
		return handle === 'ENOENT' ? 'its disk is missing' : `its disk cannot be read (${handle})`;
	}
	try {
		const header = Buffer.alloc(32);
		const {bytesRead} = await handle.read(header, 0, header.length, 0);
		if (bytesRead < header.length || header.toString('latin1', 0, 3) !== 'QFI') return 'its disk is damaged';
		const offset = Number(header.readBigUInt64BE(8));
		const length = header.readUInt32BE(16);
		if (offset === 0 || length === 0) return undefined;
		// Source: QEMU, `docs/interop/qcow2.txt`: at most 1023 bytes.
		if (length > 1023 || !Number.isSafeInteger(offset)) return 'its disk is damaged';
		const name = Buffer.alloc(length);
		await handle.read(name, 0, length, offset);
		const found = await stat(name.toString()).catch(() => undefined);
		return found ? undefined : 'the image its disk was made from is no longer in the cache';
	} finally {
		await handle.close();
	}
}
