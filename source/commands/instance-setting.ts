import type {Engine} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceView} from '../model/instance.ts';
import {humanSize} from '../model/sizes.ts';

export const instanceProperties = ['cpus', 'disk', 'memory'] as const;
type InstanceProperty = (typeof instanceProperties)[number];

/** `local.<instance>.cpus`, `.disk` or `.memory`, taken apart; `undefined` for every other key. */
export function parseInstanceKey(key: string): {name: string; property: InstanceProperty} | undefined {
	const match = /^local\.([^.]+)\.(cpus|disk|memory)$/.exec(key);
	return match ? {name: match[1]!, property: match[2] as InstanceProperty} : undefined;
}

/** @throws DroverError `instance.missing` */
export async function instanceSetting(
	{name, property}: {name: string; property: InstanceProperty},
	engine: Engine,
): Promise<string> {
	const found = (await engine.list()).find(instance => instance.name === name);
	if (found === undefined) {
		throw new DroverError('instance.missing', `instance ${JSON.stringify(name.slice(0, 80))} does not exist`);
	}
	return propertyValue(found, property);
}

function propertyValue(instance: InstanceView, property: InstanceProperty): string {
	return property === 'cpus' ? String(instance.cpus) : humanSize(instance[property]);
}

/**
 * A mistake in a key of the client's own is the command line's (exit 1), as in Multipass; what the daemon keeps, it
 * refuses (exit 2).
 */
export function settingError(key: string, error: unknown): unknown {
	if (!(error instanceof DroverError) || !error.code.startsWith('setting.') || key.startsWith('local.')) return error;
	return new DroverError('usage.invalid', error.message, {next: error.next, cause: error.cause});
}
