import {open} from 'node:fs/promises';
import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';
import type {Shared} from './context.ts';
import {filesOf, readSettings} from './files.ts';
import type {Listing} from './listing.ts';
import {ManageError} from './manage.ts';
import {type Power, powerOf} from './states.ts';

/** What may pass until a row has its answer. Milliseconds. */
const patienceMs = 950;

/** What is so, by VirtualBox's answer for all and the machine's own files. Never throws. */
export async function observe(shared: Shared, record: InstanceRecord, place: InstancePlace): Promise<Observation> {
	const nowhere = {ipv4: [], observedAt: Date.now()};
	try {
		const {manage} = await shared.host.require();
		const listing = await within(shared.listings.get(manage));
		if (!listing.online.has(record.id)) return {...(await atRest(listing, record, place)), ...nowhere};
		const detail = listing.details.get(record.id);
		const power = detail === undefined ? ({power: 'running'} as const) : powerOf(detail.state);
		const {port} = record.ssh;
		return {
			...power,
			...nowhere,
			...(power.power !== 'running' || detail?.since === undefined ? {} : {runningSince: detail.since}),
			// The guest's own address is behind VirtualBox's NAT, where nobody gets at it from here.
			...(power.power !== 'running' || port === undefined ? {} : {ssh: {host: '127.0.0.1', port}}),
		};
	} catch (error) {
		const isSilent = error instanceof ManageError && error.problem === 'silent';
		const words = isSilent ? 'VirtualBox does not answer' : lowerFirst((error as Error).message.replace(/\.$/, ''));
		return {power: 'unresponsive', reason: words, ...nowhere};
	}
}

async function atRest({machines}: Listing, record: InstanceRecord, place: InstancePlace): Promise<Power> {
	const problem = await diskProblem(filesOf(place).disk);
	const machine = machines.get(record.id);
	if (machine === undefined) {
		// A launch that has not got so far.
		if (record.phase === 'creating') return {power: 'off'};
		return {power: 'unusable', reason: 'VirtualBox does not know it any more: it was removed there by somebody else'};
	}
	if (!machine.isAccessible) {
		return {power: 'unusable', reason: 'VirtualBox cannot read the settings of its machine'};
	}
	if (problem !== undefined) return {power: 'unusable', reason: problem};
	const settings = await readSettings(record, place);
	if (settings === undefined) return {power: 'unusable', reason: 'the settings of its machine are missing'};
	return {power: settings.stateFile === undefined ? 'off' : 'suspended'};
}

/** Why a disk could not be run from: missing, or not one. Source: the VDI header's signature at byte 64. */
export async function diskProblem(disk: string): Promise<string | undefined> {
	const handle = await open(disk, 'r').catch((error: NodeJS.ErrnoException) => error.code ?? 'unreadable');
	if (typeof handle === 'string') {
		return handle === 'ENOENT' ? 'its disk is missing' : `its disk cannot be read (${handle})`;
	}
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(68), 0, 68, 0);
		return bytesRead < 68 || buffer.readUInt32LE(64) !== 0xbe_da_10_7f ? 'its disk is damaged' : undefined;
	} finally {
		await handle.close();
	}
}

async function within<Value>(work: Promise<Value>): Promise<Value> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new ManageError('silent', 'no answer')), patienceMs);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
}

function lowerFirst(text: string): string {
	return /^V(?:irtualBox|B)/.test(text) ? text : `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
