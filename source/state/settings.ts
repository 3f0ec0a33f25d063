import {rename} from 'node:fs/promises';
import path from 'node:path';
import {storageError} from './atomic.ts';
import {makePrivate} from './paths.ts';

/** What the user has set; keys and values are checked by the engine, this only keeps them. */
export type SettingsStore = {
	get(key: string): string | undefined;
	/** @throws DroverError `host.*`; what was kept stays */
	set(key: string, value: string): void;
	/** Back to the default. @throws DroverError `host.*` */
	clear(key: string): void;
	/** A sentence when the file could not be read and was set aside. */
	readonly problem?: string;
};

/**
 * Opens the settings file (`settings.json` in the config directory, 0600, written atomically by `conf`).
 * A file that cannot be read is renamed, not lost, and the defaults are in force.
 */
export async function openSettings(directory: string): Promise<SettingsStore> {
	makePrivate(directory);
	const {default: Conf} = await import('conf');
	const open = () =>
		new Conf<Record<string, string>>({
			cwd: directory,
			configName: 'settings',
			projectName: 'drover',
			accessPropertiesByDotNotation: false,
			configFileMode: 0o600,
			clearInvalidConfig: false,
			schema: {},
			rootSchema: {additionalProperties: {type: 'string'}},
		});
	let problem: string | undefined;
	let conf: ReturnType<typeof open>;
	try {
		conf = open();
		void conf.store;
	} catch {
		const file = path.join(directory, 'settings.json');
		const aside = `${file}.unreadable-${Date.now()}`;
		await rename(file, aside);
		problem = `The settings file could not be read; it was kept as ${path.basename(aside)} and the defaults are in force.`;
		conf = open();
	}
	return {
		get: key => conf.get(key),
		set(key, value) {
			writing(() => conf.set(key, value));
		},
		clear(key) {
			writing(() => conf.delete(key));
		},
		...(problem === undefined ? {} : {problem}),
	};
}

function writing(write: () => void): void {
	try {
		write();
	} catch (error) {
		throw storageError(error, 'the settings');
	}
}
