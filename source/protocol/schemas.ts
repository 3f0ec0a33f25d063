import * as v from 'valibot';
import {type Engine, type EngineMethod, engineActions} from '../engine/engine.ts';
import {driverNames} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import {forwardProtocols} from '../model/forward.ts';
import {isRecord} from './messages.ts';

/*
 * The shape of what clients send. Only the shape: whether a name is a name and a size is big enough, the engine says,
 * in better words. Unknown keys are refused, since ignoring one would do something else than what was asked for.
 */

type Request<Method extends EngineMethod> = Parameters<Engine[Method]> extends [infer R] ? R : undefined;

const text = v.pipe(v.string(), v.maxLength(4096));
// The engine tells in better words that one is too long.
const comment = v.pipe(v.string(), v.maxLength(2 ** 16));
const names = v.pipe(v.array(text), v.maxLength(20_000));
const number = v.pipe(v.number(), v.finite());
const nothing = v.undefined();
const key = v.exactOptional;

const actionOptions = v.strictObject({
	force: key(v.boolean()),
	delayMinutes: key(number),
	cancelDelayed: key(v.boolean()),
	purge: key(v.boolean()),
	discardMemory: key(v.boolean()),
	answerTimeout: key(number),
});

const idMaps = v.pipe(v.array(v.strictObject({host: number, guest: number})), v.maxLength(100));
const mount = v.strictObject({
	source: text,
	target: text,
	type: v.picklist(['classic', 'native']),
	uidMap: idMaps,
	gidMap: idMaps,
});

const forwardKey = v.strictObject({protocol: v.picklist(forwardProtocols), host: number});
const forward = v.strictObject({protocol: v.picklist(forwardProtocols), address: text, host: number, guest: number});

const importWishes = {from: key(text), names: key(names), as: key(text), discardMemory: key(v.boolean())};

const schemas: {readonly [Method in EngineMethod]: v.GenericSchema<unknown, Request<Method>>} = {
	overview: nothing,
	list: nothing,
	info: v.strictObject({names, runtime: v.boolean()}),
	launch: v.strictObject({
		image: key(text),
		name: key(text),
		cpus: key(number),
		memory: key(number),
		disk: key(number),
		cloudInit: key(v.pipe(v.string(), v.maxLength(2 ** 20))),
		template: key(text),
		profile: key(text),
		networks: key(names),
		bridged: key(v.boolean()),
		mounts: key(v.pipe(v.array(mount), v.maxLength(100))),
		target: key(text),
		answerTimeout: key(number),
		by: text,
	}),
	act: v.strictObject({action: v.picklist(engineActions), names, options: key(actionOptions), by: text}),
	operations: nothing,
	operation: v.strictObject({id: text}),
	wait: v.strictObject({id: text, timeoutSeconds: key(number)}),
	cancel: v.strictObject({id: text, by: text}),
	operationLog: v.strictObject({id: text}),
	ssh: v.strictObject({name: text}),
	access: v.strictObject({name: text}),
	mount: v.strictObject({name: text, mount, by: text}),
	unmount: v.strictObject({name: text, target: key(text), by: text}),
	networks: nothing,
	resize: v.strictObject({name: text, cpus: key(number), memory: key(number), disk: key(number), by: text}),
	addNetwork: v.strictObject({name: text, network: text, by: text}),
	snapshot: v.strictObject({name: text, snapshot: key(text), comment: key(comment), by: text}),
	restore: v.strictObject({name: text, snapshot: text, destructive: v.boolean(), by: text}),
	deleteSnapshots: v.strictObject({name: text, snapshots: names, by: text}),
	snapshots: v.strictObject({names}),
	clone: v.strictObject({name: text, as: key(text), linked: key(v.boolean()), by: text}),
	forward: v.strictObject({name: text, forward, by: text}),
	unforward: v.strictObject({name: text, key: forwardKey, by: text}),
	metrics: v.strictObject({names}),
	members: nothing,
	adoptables: nothing,
	importPlan: v.strictObject(importWishes),
	importInstances: v.strictObject({...importWishes, by: text}),
	movePlan: v.strictObject({name: text, to: v.picklist(driverNames)}),
	move: v.strictObject({
		name: text,
		to: v.picklist(driverNames),
		by: text,
		stop: key(v.boolean()),
		purge: key(v.boolean()),
	}),
	instanceEvents: v.strictObject({name: text}),
	consoleLog: v.strictObject({name: text, lines: v.pipe(number, v.integer(), v.minValue(0), v.maxValue(100_000))}),
	drivers: nothing,
	doctor: v.strictObject({again: v.boolean()}),
	find: v.strictObject({query: text, showUnsupported: key(v.boolean()), forceUpdate: key(v.boolean())}),
	profiles: nothing,
	templates: nothing,
	images: nothing,
	pruneImages: v.strictObject({all: v.boolean(), by: text}),
	settings: nothing,
	get: v.strictObject({key: text}),
	set: v.strictObject({key: text, value: comment, by: text}),
	adopt: v.strictObject({name: text, from: key(text), by: text}),
	forget: v.strictObject({name: text, by: text}),
	switchPlan: v.strictObject({to: v.picklist(driverNames)}),
	switchDriver: v.strictObject({to: v.picklist(driverNames), by: text, force: key(names)}),
	switchStory: nothing,
	refresh: nothing,
};

const handover = v.strictObject({force: v.boolean()});

/**
 * The request of a method as it was sent, checked.
 * @throws DroverError `usage.invalid` naming the first part that does not fit
 */
export function checkedRequest<Method extends EngineMethod>(method: Method, request: unknown): Request<Method> {
	return checked(schemas[method] as v.GenericSchema<unknown, Request<Method>>, method, request);
}

export function checkedHandover(request: unknown): v.InferOutput<typeof handover> {
	return checked(handover, 'handover', request);
}

function checked<Output>(schema: v.GenericSchema<unknown, Output>, method: string, request: unknown): Output {
	const result = v.safeParse(schema, request, {abortEarly: true});
	if (result.success) return result.output;
	const [issue] = result.issues;
	const where = issue === undefined ? '' : v.getDotPath(issue);
	const what = where === null || where === '' ? 'it' : JSON.stringify(where.slice(0, 80));
	const found = isRecord(request) || Array.isArray(request) ? '' : `, not ${typeof request}`;
	throw new DroverError(
		'usage.invalid',
		`The request ${method} is not understood: ${what} should be ${String(issue?.expected ?? 'something else').slice(0, 120)}${found}.`,
		{next: 'Check that drover and its daemon are of the same version: drover version.'},
	);
}
