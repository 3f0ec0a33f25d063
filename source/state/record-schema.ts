import * as v from 'valibot';
import {driverNames, scopeNames} from '../model/driver-name.ts';
import {forwardProtocols, isIpv4} from '../model/forward.ts';
import {type InstanceRecord, intentActions, restorePolicies} from '../model/instance.ts';
import {nameProblem} from '../model/names.ts';
import {privateNicProblem} from '../model/private-network.ts';
import {count, cpus, line, mac, mounts, nic, nics, positive, time} from './schema-parts.ts';
import {plannedSnapshot, tag} from './snapshot-schema.ts';

/** The version of the record's form that this program writes. */
export const recordVersion = 1;

const machine = v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/, 'is not a machine type'));

const serverName = v.pipe(v.string(), v.regex(/^[\w.-]{1,128}$/, 'is not a name'));

const uuid = v.pipe(v.string(), v.regex(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/, 'is not a UUID'));
const instanceName = v.pipe(
	v.string(),
	v.check(text => nameProblem(text) === undefined, 'is not an instance name'),
);
const port = v.pipe(positive, v.maxValue(65_535));
const forward = v.object({
	protocol: v.picklist(forwardProtocols),
	address: v.pipe(v.string(), v.check(isIpv4, 'is not an IPv4 address')),
	host: port,
	guest: port,
});

const privateNic = v.pipe(
	v.object({mac, address: line, prefix: count}),
	v.check(nic => privateNicProblem(nic) === undefined, 'is not a place on a private network'),
);

const options = v.object({
	force: v.optional(v.boolean()),
	delayMinutes: v.optional(count),
	cancelDelayed: v.optional(v.boolean()),
	purge: v.optional(v.boolean()),
	discardMemory: v.optional(v.boolean()),
	answerTimeout: v.optional(v.pipe(v.number(), v.minValue(0))),
	mounts: v.optional(mounts),
	cpus: v.optional(cpus),
	memory: v.optional(positive),
	disk: v.optional(positive),
	nic: v.optional(nic),
	snapshot: v.optional(plannedSnapshot),
	tags: v.optional(v.pipe(v.array(tag), v.maxLength(10_000))),
	source: v.optional(v.object({id: uuid, name: instanceName})),
	layer: v.optional(uuid),
	import: v.optional(v.object({directory: line, ref: line, discardMemory: v.optional(v.boolean())})),
	move: v.optional(v.object({driver: v.picklist(driverNames), id: uuid, purge: v.optional(v.boolean())})),
});

const schema = v.object({
	schema: v.literal(recordVersion),
	id: uuid,
	name: instanceName,
	scope: v.picklist(scopeNames),
	createdAt: time,
	createdBy: line,
	phase: v.picklist(['creating', 'ready']),
	image: v.object({query: line, release: line, os: line, hash: line}),
	hardware: v.object({
		arch: v.picklist(['x86_64', 'aarch64']),
		cpus,
		memory: positive,
		builtMemory: v.optional(positive),
		disk: positive,
		mac,
		machine: v.optional(machine),
		nics: v.optional(nics),
		privateNic: v.optional(privateNic),
	}),
	ssh: v.object({
		user: v.pipe(v.string(), v.regex(/^[a-z_][\w-]{0,31}$/, 'is not a user name')),
		port: v.optional(v.pipe(positive, v.maxValue(65_535))),
		// Empty: nobody has told it, so that there is no way in by SSH.
		hostKey: v.pipe(line, v.regex(/^(?:ssh-ed25519 [\w+/=]+)?$/, 'is not an ed25519 key')),
	}),
	desired: v.picklist(['running', 'stopped', 'suspended']),
	deleted: v.optional(v.object({at: time, by: line})),
	intent: v.optional(
		v.object({
			action: v.picklist(intentActions),
			options,
			by: line,
			at: time,
		}),
	),
	suspended: v.optional(
		v.object({
			driver: v.picklist(driverNames),
			version: line,
			machine,
			accelerator: line,
			cpus: positive,
			memory: positive,
			devices: line,
			disk: v.object({bytes: count, modifiedMs: v.number()}),
			size: count,
			at: time,
			by: v.picklist(['user', 'switch']),
		}),
	),
	unanswered: v.optional(v.object({since: time, reason: line})),
	shutdownAt: v.optional(time),
	parked: v.optional(
		v.object({
			switch: line,
			to: v.picklist(driverNames),
			how: v.picklist(['suspended', 'stopped']),
			at: time,
			failure: v.optional(v.object({code: line, message: line, next: v.optional(line), cause: v.optional(line)})),
		}),
	),
	restore: v.optional(v.picklist(restorePolicies)),
	mounts: v.optional(mounts),
	forwards: v.optional(v.pipe(v.array(forward), v.maxLength(64))),
	target: v.optional(serverName),
	clones: v.optional(count),
	seedId: v.optional(uuid),
	origin: v.optional(v.object({software: v.literal('multipass'), scope: line, name: line, mac: v.optional(mac)})),
	moved: v.optional(v.object({to: v.picklist(driverNames), id: uuid, at: time})),
	lxd: v.optional(
		v.object({
			type: v.picklist(['container', 'virtual-machine']),
			project: serverName,
			remote: v.optional(v.pipe(line, v.startsWith('https://', 'is not an https:// address'))),
		}),
	),
});

export type ParsedRecord =
	| {readonly ok: true; readonly record: InstanceRecord}
	| {readonly ok: false; readonly reason: string};

/** Reads a record's text; what is wrong is told in words and never thrown. */
export function parseRecord(text: string, expected: {name: string; scope: string}): ParsedRecord {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return {ok: false, reason: text.trim() === '' ? 'the record is empty' : 'the record is not valid JSON'};
	}
	const version = (json as {schema?: unknown} | null)?.schema;
	if (typeof version === 'number' && version > recordVersion) {
		return {
			ok: false,
			reason: `the record was written by a newer drover (form ${version}, this one knows ${recordVersion})`,
		};
	}
	const result = v.safeParse(schema, json);
	if (!result.success) {
		const issue = result.issues[0];
		const where = v.getDotPath(issue);
		return {ok: false, reason: `the record is not usable: ${where ? `${where}: ` : ''}${issue.message}`.slice(0, 300)};
	}
	const record = result.output as InstanceRecord;
	if (record.name !== expected.name || record.scope !== expected.scope) {
		return {ok: false, reason: `the record belongs to ${record.scope}/${record.name}, not to this directory`};
	}
	return {ok: true, record};
}
