import * as v from 'valibot';
import type {IdMap, Mount} from '../../model/mount.ts';
import {plainLine} from '../../model/text.ts';

/** What Multipass remembers of an instance, as far as it is of use here. Memory and disk in bytes. */
export type TheirRecord = {
	readonly cpus: number;
	readonly memory: number;
	readonly disk: number;
	readonly user: string;
	/** Their number of it. */
	readonly state: number;
	readonly isDeleted: boolean;
	readonly mac?: string;
	readonly mounts: readonly Mount[];
	/** Their names of the networks that its further interfaces are on. */
	readonly networks: readonly string[];
};

/** What Multipass remembers of the image an instance was made from. */
export type TheirImage = {
	/** The name of the disk's file, without the directories it is said to be in. */
	readonly file?: string;
	readonly release: string;
	readonly os: string;
};

/** A record, or why it cannot be used, as the end of a sentence. */
export type Parsed<Value> = Value | string;

const size = v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.regex(/^\d{1,15}$/), v.transform(Number));
const mac = v.pipe(v.string(), v.regex(/^[\da-f]{2}(?::[\da-f]{2}){5}$/i), v.toLowerCase());
const list = v.fallback(v.array(v.unknown()), []);
const word = v.fallback(v.pipe(v.string(), v.transform(plainLine), v.maxLength(200)), '');

/** Source: Multipass 1.16, what its daemon writes into `multipassd-vm-instances.json`. */
const record = v.object({
	num_cores: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024)),
	mem_size: size,
	disk_space: size,
	ssh_username: v.optional(v.pipe(v.string(), v.regex(/^[a-z_][\w-]{0,31}$/)), 'ubuntu'),
	state: v.pipe(v.number(), v.integer()),
	deleted: v.optional(v.boolean(), false),
	// One that cannot be used is not brought; the rest of the record is good all the same.
	mac_addr: v.fallback(v.optional(mac), undefined),
	mounts: list,
	extra_interfaces: list,
});

const id = v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(0xff_ff_ff_fe));
const ids = (host: string, guest: string) =>
	v.pipe(
		v.array(v.object({[host]: id, [guest]: id})),
		v.maxLength(100),
		v.transform(maps => maps.map((map): IdMap => ({host: map[host]!, guest: map[guest]!}))),
	);
const path = v.pipe(
	v.string(),
	v.maxLength(4000),
	v.startsWith('/'),
	v.check(text => !/[\u0000-\u001F\u007F]/.test(text)),
);
const mount = v.object({
	source_path: path,
	target_path: path,
	mount_type: v.fallback(v.picklist([0, 1]), 0),
	uid_mappings: v.fallback(ids('host_uid', 'instance_uid'), []),
	gid_mappings: v.fallback(ids('host_gid', 'instance_gid'), []),
});
const nic = v.object({id: v.pipe(v.string(), v.transform(plainLine), v.minLength(1), v.maxLength(200))});

const image = v.object({
	image: v.object({path: v.fallback(v.string(), ''), current_release: word, original_release: word, os: word}),
});

/**
 * All records in a file of theirs, by name. One that cannot be used does not keep the others from it.
 * @returns a text when the file as a whole cannot be used
 */
export function parseRecords(text: string): Parsed<ReadonlyMap<string, Parsed<TheirRecord>>> {
	const all = entriesOf(text);
	if (typeof all === 'string') return all;
	return new Map(all.map(([name, value]) => [name, parseRecord(value)]));
}

function parseRecord(value: unknown): Parsed<TheirRecord> {
	const result = v.safeParse(record, value);
	if (!result.success) {
		const where = v.getDotPath(result.issues[0]);
		return where ? `its record is not usable: ${plainLine(where).slice(0, 60)}` : 'its record is not usable';
	}
	const {output} = result;
	return {
		cpus: output.num_cores,
		memory: output.mem_size,
		disk: output.disk_space,
		user: output.ssh_username,
		state: output.state,
		isDeleted: output.deleted,
		...(output.mac_addr === undefined ? {} : {mac: output.mac_addr}),
		mounts: output.mounts.slice(0, 256).flatMap(each => {
			const found = v.safeParse(mount, each);
			if (!found.success) return [];
			const {source_path: source, target_path: target, mount_type: type} = found.output;
			const {uid_mappings: uidMap, gid_mappings: gidMap} = found.output;
			return [{source, target, type: type === 1 ? ('native' as const) : ('classic' as const), uidMap, gidMap}];
		}),
		networks: output.extra_interfaces.slice(0, 32).flatMap(each => {
			const found = v.safeParse(nic, each);
			return found.success ? [found.output.id] : [];
		}),
	};
}

/** What is said of the images, by the instances' names. What cannot be read is left out: the disks are there without it. */
export function parseImages(text: string): ReadonlyMap<string, TheirImage> {
	const all = entriesOf(text);
	if (typeof all === 'string') return new Map();
	return new Map(
		all.flatMap(([name, value]) => {
			const result = v.safeParse(image, value);
			if (!result.success) return [];
			const {path: file, current_release: current, original_release: original, os} = result.output.image;
			const last = file.split(/[/\\]/).at(-1) ?? '';
			const isName = last !== '' && last !== '.' && last !== '..' && !/[\u0000-\u001F\u007F]/.test(last);
			return [[name, {...(isName ? {file: last} : {}), release: current || original, os}] as const];
		}),
	);
}

function entriesOf(text: string): Parsed<ReadonlyArray<[string, unknown]>> {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return text.trim() === '' ? 'it is empty' : 'it is not valid JSON';
	}
	if (typeof json !== 'object' || json === null || Array.isArray(json)) return 'it has no instances by name';
	return Object.entries(json);
}
