import * as v from 'valibot';
import {plainLine} from '../../model/text.ts';

/** The version of the language between drover and its script; both come from the same build. */
export const protocolVersion = 1;

/** What the script can be asked for; the script itself says what each does. */
export const operations = [
	'health',
	'list',
	'inspect',
	'networks',
	'sample',
	'create',
	'resize',
	'add-nic',
	'copy-disk',
	'start',
	'shut-down',
	'turn-off',
	'remove',
	'snapshot-take',
	'snapshot-restore',
	'snapshot-remove',
	'watch',
] as const;
export type Operation = (typeof operations)[number];

const text = v.pipe(v.string(), v.transform(plainLine));
const number = v.pipe(v.number(), v.finite());

const hello = v.object({
	event: v.literal('hello'),
	protocol: number,
	powershell: text,
	pid: number,
	capabilities: v.array(v.string()),
});
const changed = v.object({event: v.literal('changed'), vm: v.string()});
const begun = v.object({event: v.literal('begun'), id: number});
const success = v.object({id: number, ok: v.literal(true), result: v.unknown()});
const failure = v.object({
	id: number,
	ok: v.literal(false),
	error: v.object({id: text, category: text, hresult: number, message: text}),
});
const message = v.union([hello, begun, changed, success, failure]);

export type Hello = v.InferOutput<typeof hello>;
export type Failure = v.InferOutput<typeof failure>['error'];
export type Message = v.InferOutput<typeof message>;

/** A line of the script's, or `undefined` for what is none of its: a banner, a warning, half a line. */
export function parseMessage(line: string): Message | undefined {
	if (!line.trimStart().startsWith('{')) return undefined;
	try {
		const found = v.safeParse(message, JSON.parse(line));
		return found.success ? found.output : undefined;
	} catch {
		return undefined;
	}
}

/** A request as a line. Pure ASCII, so that no code page can spoil it. */
export function requestLine(id: number, op: Operation, args: Readonly<Record<string, unknown>>): string {
	const json = JSON.stringify({id, op, args});
	return `${json.replace(/[^\x20-\x7e]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

const nic = v.object({mac: v.string(), switch: text, ipv4: v.array(v.string())});
const machine = v.object({
	/** Hyper-V's own id of it. */
	vm: v.string(),
	/** The record's id, from the mark in its notes. */
	machine: v.string(),
	/** `making`: its making was cut short. */
	phase: v.picklist(['making', 'ready']),
	name: text,
	/** By name: the numbers differ between versions of Windows. */
	state: text,
	/** Seconds. */
	uptime: v.fallback(number, 0),
	nics: v.array(nic),
});
export type Machine = v.InferOutput<typeof machine>;

/** One machine that makes no sense is left out; the others stay. */
export const listResult = v.pipe(
	v.object({machines: v.array(v.unknown())}),
	v.transform(({machines}) =>
		machines.flatMap(each => {
			const found = v.safeParse(machine, each);
			return found.success ? [found.output] : [];
		}),
	),
);

export const stateResult = v.object({vm: v.string(), state: text});
export const restoreResult = v.object({vm: v.string(), state: text, disk: v.pipe(number, v.minValue(1))});
export const inspectResult = v.object({pid: number, state: text});
export const anyResult = v.unknown();

export const networksResult = v.object({
	/** The id of the switch that every instance is on. */
	default: v.string(),
	switches: v.array(v.object({id: v.string(), name: text, type: text, adapter: text})),
});

export const sampleResult = v.object({
	samples: v.array(
		v.object({
			machine: v.string(),
			/** Bytes the host gives it, and how many it would need. */
			assigned: number,
			demand: number,
			/** Processor time since its start, seconds over all processors. */
			processor: v.optional(number),
			/** Bytes since its start. */
			received: v.optional(number),
			sent: v.optional(number),
		}),
	),
});

export const healthResult = v.object({
	/** `10.0.22631`. */
	windows: text,
	/** Windows's number of its edition. */
	sku: number,
	hypervisor: v.boolean(),
	/** Version of Hyper-V's PowerShell module; empty when there is none. */
	module: text,
	/** State of the service `vmms`, by name; empty when there is none. */
	service: text,
	elevated: v.boolean(),
	/** Of the group Hyper-V Administrators. */
	member: v.boolean(),
	/** `yes`, the id of the error that came instead, or empty when it was not tried. */
	access: text,
	defaultSwitch: v.boolean(),
});
export type HealthFacts = v.InferOutput<typeof healthResult>;
