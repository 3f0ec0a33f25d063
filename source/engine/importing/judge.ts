import type {DiskRefusal} from '../../images/foreign-disk.ts';
import type {ScopeName} from '../../model/driver-name.ts';
import type {ImportLine, Origin} from '../../model/import-plan.ts';
import type {Mount} from '../../model/mount.ts';
import {nameProblem} from '../../model/names.ts';
import {formatSize, limits} from '../../model/sizes.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {type Limits, mountsOf, notesOf, suspendTag} from './notes.ts';
import type {TheirInstance} from './read.ts';
import type {TheirRecord} from './schema.ts';

/** An instance here that was brought from elsewhere. */
export type Brought = {
	readonly origin: Origin;
	readonly name: string;
	readonly scope: ScopeName;
	readonly isDeleted: boolean;
	/** It is being copied just now. */
	readonly isUnderWay: boolean;
};

export type Circumstances = Limits & {
	/** Instances that were brought, in all scopes. */
	readonly brought: readonly Brought[];
	/** Whether a name is taken in the current scope. */
	readonly isTaken: (name: string) => boolean;
	readonly scope: ScopeName;
	/** Their instances that are asked for by name: those that they have no record of are brought then, too. */
	readonly named: ReadonlySet<string>;
	/** What the one that is asked for is to be called here. */
	readonly as?: string;
	/** Memory that was saved may be left out. */
	readonly discardMemory: boolean;
	/** Bytes. */
	readonly freeBytes: number;
};

/** What is to be made of one instance of theirs, where it is to be brought. */
export type Wanted = Pick<TheirRecord, 'cpus' | 'memory' | 'user'> & {
	readonly origin: Origin;
	readonly file: string;
	readonly disk: number;
	readonly mac?: string;
	readonly networks: readonly string[];
	readonly mounts: readonly Mount[];
	readonly release: string;
	readonly os: string;
};

export type Judgement = {readonly line: ImportLine; readonly wanted?: Wanted};

/** Kept free beside the copies, in bytes. */
const reserve = 256 * 2 ** 20;

/** A conversion has the copy, the unpacked disk and the archive at the same time, and the server its own. */
const conversionFactor = 3.5;

/** In the words of the states here. Source: Multipass 1.16, `virtual_machine.h`; 9 is of the version after it. */
const states = [
	'Stopped',
	'Stopped',
	'Starting',
	'Restarting',
	'Running',
	'Delayed Shutdown',
	'Suspending',
	'Suspended',
	'Unknown',
	'Unavailable',
];

export function refOf({scope, name}: Pick<TheirInstance, 'scope' | 'name'>): string {
	return scope === '' ? name : `${scope}/${name}`;
}

/** Decides for all of them, in order: each may take a name, and room, from those after it. */
export function judge(all: readonly TheirInstance[], circumstances: Circumstances): readonly Judgement[] {
	const taken = new Set<string>();
	let free = circumstances.freeBytes - reserve;
	return all.map(each => {
		const judgement = judgeOne(each, {
			...circumstances,
			isTaken: name => taken.has(name) || circumstances.isTaken(name),
			freeBytes: free,
		});
		if (judgement.wanted !== undefined) {
			taken.add(judgement.line.name);
			free -= judgement.line.bytes;
		}
		return judgement;
	});
}

function judgeOne(each: TheirInstance, circumstances: Circumstances): Judgement {
	const record = typeof each.record === 'object' ? each.record : undefined;
	const name = circumstances.as ?? each.name;
	const ref = refOf(each);
	const origin = originOf(each);
	const virtualSize = 'problem' in each.disk ? 0 : each.disk.virtualSize;
	const line: ImportLine = {
		ref: plainLine(ref),
		name: plainLine(name),
		state: stateOf(each),
		cpus: record?.cpus ?? limits.cpusDefault,
		memory: record?.memory ?? limits.memoryDefault,
		disk: Math.max(virtualSize, record?.disk ?? 0, 'problem' in each.disk ? 0 : limits.diskMinimum),
		bytes: 0,
		verdict: 'skip',
		notes: [],
	};
	const before = circumstances.brought.find(other => isSame(other.origin, origin));
	if (before !== undefined)
		return {line: {...line, name: before.name, verdict: 'here', reason: hereReason(before, circumstances)}};
	const refusal = refusalOf(each, name, line, circumstances);
	if (refusal !== undefined) {
		return {line: {...line, reason: refusal[0], ...(refusal[1] === undefined ? {} : {next: refusal[1]})}};
	}
	if ('problem' in each.disk || each.file === undefined) return {line: {...line, reason: 'its disk is missing'}};
	const bytes = Math.ceil(each.disk.copySize * (circumstances.form === 'rootfs' ? conversionFactor : 1));
	if (bytes > circumstances.freeBytes) {
		const free = formatSize(Math.max(0, circumstances.freeBytes));
		return {
			line: {
				...line,
				reason: `its copy needs up to ${formatSize(bytes)} of disk, and ${free} can be used`,
				next: 'Free some disk space and import again.',
			},
		};
	}
	const mounts = mountsOf(record, circumstances);
	const networks = (record?.networks ?? []).filter(circumstances.hasNetwork);
	return {
		line: {
			...line,
			bytes,
			verdict: 'import',
			notes: notesOf(each, record, line.name, {...circumstances, mounts, isStopped: line.state === 'Stopped'}),
		},
		wanted: {
			origin,
			file: each.file,
			cpus: line.cpus,
			memory: line.memory,
			disk: line.disk,
			user: record?.user ?? 'ubuntu',
			...(record?.mac === undefined ? {} : {mac: record.mac}),
			networks,
			mounts,
			release: each.image?.release ?? '',
			os: each.image?.os ?? '',
		},
	};
}

type Refusal = readonly [reason: string, next?: string];

function refusalOf(
	each: TheirInstance,
	name: string,
	{memory}: ImportLine,
	circumstances: Circumstances,
): Refusal | undefined {
	const {record, disk} = each;
	const called = shellWord(plainLine(each.name));
	if (each.scope === 'lxd') {
		return ['it is on an LXD server', 'drover switch lxd, then drover adopt --from multipass, takes it over there.'];
	}
	const evident = evidentRefusal(each);
	if (evident !== undefined) return evident;
	if (typeof record !== 'object' && !circumstances.named.has(refOf(each))) {
		const why = record ?? 'Multipass has no record of it';
		if ('problem' in disk) return [`${why}, and ${disk.problem}`];
		return [
			`${why}, so that its sizes are not known`,
			`drover import multipass ${shellWord(plainLine(refOf(each)))} brings it with ${limits.cpusDefault} CPU and ${formatSize(limits.memoryDefault)}.`,
		];
	}
	if ('problem' in disk) return diskRefusal(disk);
	const power = powerRefusal(each, circumstances.discardMemory);
	if (power !== undefined) return power;
	if (each.snapshots > 0 && disk.format !== 'qcow2' && disk.format !== 'raw') {
		return [
			'it has snapshots, and its disk as it is now is spread over several files',
			`Delete them first: multipass delete --purge ${called}.SNAPSHOT`,
		];
	}
	if (memory < limits.memoryMinimum) {
		return [`its memory of ${formatSize(memory)} is less than the ${formatSize(limits.memoryMinimum)} that are needed`];
	}
	const problem = nameProblem(name);
	const rename = `drover import multipass ${shellWord(plainLine(refOf(each)))} --as NAME brings it under another name.`;
	if (problem !== undefined) return [`its name cannot be used here: ${problem}`, rename];
	if (circumstances.isTaken(name)) return [`there is an instance "${name}" here already`, rename];
	return undefined;
}

function evidentRefusal({name, record, disk}: TheirInstance): Refusal | undefined {
	const called = shellWord(plainLine(name));
	if (typeof record === 'object' && record.isDeleted) {
		return ['it is deleted in Multipass', `multipass recover ${called} brings it back there.`];
	}
	return 'isInUse' in disk ? ['it runs', `Stop it first: multipass stop ${called}`] : undefined;
}

/** Why the disk of one is not to be copied now; `undefined` when it can be. */
export function restRefusal(each: TheirInstance, discardMemory: boolean): Refusal | undefined {
	const evident = evidentRefusal(each);
	if (evident !== undefined) return evident;
	return 'problem' in each.disk ? diskRefusal(each.disk) : powerRefusal(each, discardMemory);
}

function diskRefusal({problem, isClosed}: DiskRefusal): Refusal {
	return isClosed ? [problem, 'Run drover as the user who may, mostly root.'] : [problem];
}

/** Only what rests is brought: the disk of a machine that runs is not whole, and that of a suspended one half the truth. */
function powerRefusal(each: TheirInstance, discardMemory: boolean): Refusal | undefined {
	const state = stateOf(each);
	const called = shellWord(plainLine(each.name));
	if (state === 'Stopped') return undefined;
	const discard = `drover import multipass ${shellWord(plainLine(refOf(each)))} --discard-memory brings its disk without it, as after a power cut.`;
	if (state === 'Suspended') {
		if (discardMemory) return undefined;
		return [
			'it is suspended, and its memory cannot be brought along',
			`Start it and stop it in Multipass, or: ${discard}`,
		];
	}
	// A lock tells whether a disk is in use; where the format has none, only what is written does.
	const isKnownOff = 'format' in each.disk && each.disk.format === 'qcow2';
	if (discardMemory && isKnownOff) return undefined;
	return [
		`Multipass has it as ${state}`,
		isKnownOff
			? `Stop it first: multipass stop ${called}. If Multipass is no longer there: ${discard}`
			: `Stop it first: multipass stop ${called}`,
	];
}

function stateOf({record, disk}: TheirInstance): string {
	if ('isInUse' in disk) return 'Running';
	const hasMemory = 'tags' in disk && disk.tags.includes(suspendTag);
	if (typeof record !== 'object') return hasMemory ? 'Suspended' : 'problem' in disk ? 'Unknown' : 'Stopped';
	if (record.isDeleted) return 'Deleted';
	const told = states[record.state] ?? 'Unknown';
	// Their daemon leaves what it suspends at its end as running, and what is suspending for good.
	if (hasMemory || told === 'Suspending') return 'Suspended';
	return told;
}

export function originOf({scope, name, record}: TheirInstance): Origin {
	const mac = typeof record === 'object' ? record.mac : undefined;
	return {software: 'multipass', scope, name: plainLine(name).slice(0, 200), ...(mac === undefined ? {} : {mac})};
}

export function isSame(a: Origin, b: Origin): boolean {
	return a.software === b.software && a.scope === b.scope && a.name === b.name && a.mac === b.mac;
}

function hereReason({name, scope, isDeleted, isUnderWay}: Brought, circumstances: Circumstances): string {
	if (isUnderWay) return `it is being imported as "${name}"`;
	const where = scope === circumstances.scope ? '' : `, in the scope ${scope}`;
	return `it is here already as "${name}"${where}${isDeleted ? ', in the trash' : ''}`;
}
