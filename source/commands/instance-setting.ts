import type {Engine} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceView} from '../model/instance.ts';
import {bridgedWord} from '../model/network-spec.ts';
import {humanSize, parseSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {wholeNumber} from './parse.ts';

export const instanceProperties = ['bridged', 'cpus', 'disk', 'memory'] as const;
type InstanceProperty = (typeof instanceProperties)[number];
type InstanceKey = {readonly name: string; readonly property: InstanceProperty};

/** `local.<instance>.cpus`, `.disk`, `.memory` or `.bridged`, taken apart; `undefined` for every other key. */
export function parseInstanceKey(key: string): InstanceKey | undefined {
	const match = /^local\.([^.]+)\.(bridged|cpus|disk|memory)$/.exec(key);
	return match ? {name: match[1]!, property: match[2] as InstanceProperty} : undefined;
}

/** @throws DroverError `instance.missing` */
export async function instanceSetting({name, property}: InstanceKey, engine: Engine): Promise<string> {
	const found = (await engine.list()).find(instance => instance.name === name);
	if (found === undefined) {
		throw new DroverError('instance.missing', `instance ${JSON.stringify(name.slice(0, 80))} does not exist`, {
			next: 'drover list shows the instances there are.',
		});
	}
	return property === 'bridged' ? String(await isBridged(name, engine)) : propertyValue(found, property);
}

function propertyValue(instance: InstanceView, property: 'cpus' | 'disk' | 'memory'): string {
	return property === 'cpus' ? String(instance.cpus) : humanSize(instance[property]);
}

/** Whether it has an interface on the network that is configured for that. */
async function isBridged(name: string, engine: Engine): Promise<boolean> {
	const {value: network} = await engine.get({key: 'local.bridged-network'});
	const [detail] = await engine.info({names: [name], runtime: false});
	return network !== '' && detail?.nics?.some(nic => nic.network === network) === true;
}

/**
 * Changes an instance and waits until it is so.
 * @throws DroverError `setting.invalid` for what is no number, size or truth value; `instance.*`, `driver.*` from the engine
 */
export async function setInstance(key: InstanceKey, value: string, context: CommandContext): Promise<void> {
	const {name, property} = key;
	const by = context.user;
	if (property === 'bridged') {
		const wanted = truth(value);
		if (wanted === undefined) throw invalid(key, value, 'it is either true or false');
		const engine = await context.engine();
		if (wanted === (await isBridged(name, engine))) return;
		if (!wanted) {
			throw new DroverError(
				'setting.invalid',
				`Cannot update instance settings; instance: ${name}; reason: a bridged interface cannot be taken away again`,
			);
		}
		await follow(context, engine, () => engine.addNetwork({name, network: bridgedWord, by}));
		return;
	}
	const number = property === 'cpus' ? wholeNumber(value.trim()) : parseSize(value);
	if (number === undefined) {
		throw property === 'cpus'
			? invalid(key, value, 'need a positive whole number')
			: invalid(key, value, `not a valid ${property} size`, 'Write it like 512M, 1.5G or 1073741824.');
	}
	const engine = await context.engine();
	await follow(context, engine, () => engine.resize({name, [property]: number, by}));
}

function truth(value: string): boolean | undefined {
	const lower = value.trim().toLowerCase();
	if (['on', 'yes', '1', 'true'].includes(lower)) return true;
	return ['off', 'no', '0', 'false'].includes(lower) ? false : undefined;
}

function invalid({name, property}: InstanceKey, value: string, why: string, next?: string): DroverError {
	const shown = plainLine(`local.${name}.${property}=${value}`).slice(0, 200);
	return new DroverError('setting.invalid', `Invalid setting '${shown}': ${why}.`, {next});
}

/**
 * A mistake in a key of the client's own is the command line's (exit 1), as in Multipass; what the daemon keeps, it
 * refuses (exit 2).
 */
export function settingError(key: string, error: unknown): unknown {
	if (!(error instanceof DroverError) || !error.code.startsWith('setting.') || key.startsWith('local.')) return error;
	return new DroverError('usage.invalid', error.message, {next: error.next, cause: error.cause});
}
