import {readdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import type {InstanceRecord} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';

/** The files of an instance that are drover's own. What VirtualBox keeps of it is in a directory of the machine's name. */
export type InstanceFiles = {
	readonly disk: string;
	/** A disk that is being made, or was when something broke. The ending tells VirtualBox what it is. */
	readonly diskPart: string;
	readonly seed: string;
	readonly console: string;
};

/** Absolute paths. */
export function filesOf({directory}: InstancePlace): InstanceFiles {
	return {
		disk: path.join(directory, 'disk.vdi'),
		diskPart: path.join(directory, 'disk.part.vdi'),
		seed: path.join(directory, 'seed.iso'),
		console: path.join(directory, 'console.log'),
	};
}

/** What VirtualBox calls a machine; its window shows it. Others may have instances of the same name. */
export function machineName({name, id}: Pick<InstanceRecord, 'name' | 'id'>): string {
	return `drover-${name}-${id.slice(0, 8)}`;
}

/** The instance's name of a machine that may be drover's. */
export function instanceName(machine: string): string | undefined {
	return /^drover-(.+)-[\da-f]{8}$/.exec(machine)?.[1];
}

/** What VirtualBox writes down of a machine at rest. */
export type MachineSettings = {
	readonly file: string;
	/** Its directory: what is relative in it is relative to this. */
	readonly directory: string;
	/** The saved memory; absent when there is none. */
	readonly stateFile?: string;
};

/**
 * What a settings file says of a machine at rest: reading it costs no process. Source: VirtualBox-settings.xsd, Machine:
 * `stateFile` is there exactly while the machine is saved.
 * @returns `undefined` when it is of another machine, or none
 */
export function parseSettings(text: string, id: string, file: string): MachineSettings | undefined {
	const attributes = /<Machine\s([^<>]*)>/.exec(text)?.[1];
	if (attributes === undefined) return undefined;
	const value = (name: string) => {
		const raw = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1];
		return raw?.replace(/&(?:lt|gt|quot|apos|amp|#(\d{1,6}));/g, (entity, code: string | undefined) =>
			code === undefined ? entities[entity]! : String.fromCodePoint(Number(code)),
		);
	};
	if (value('uuid') !== `{${id}}`) return undefined;
	const directory = path.dirname(file);
	const stateFile = value('stateFile');
	return {
		file,
		directory,
		...(stateFile === undefined || stateFile === '' ? {} : {stateFile: path.resolve(directory, stateFile)}),
	};
}

const entities: Readonly<Record<string, string>> = {
	'&lt;': '<',
	'&gt;': '>',
	'&quot;': '"',
	'&apos;': "'",
	'&amp;': '&',
};

/** Reads the settings of an instance's machine; when somebody has renamed it, wherever they are below its directory. */
export async function readSettings(record: InstanceRecord, place: InstancePlace): Promise<MachineSettings | undefined> {
	const name = machineName(record);
	const expected = path.join(place.directory, name, `${name}.vbox`);
	const found = await tryRead(expected, record.id);
	if (found) return found;
	for (const entry of await readdir(place.directory, {withFileTypes: true}).catch(() => [])) {
		if (!entry.isDirectory()) continue;
		const directory = path.join(place.directory, entry.name);
		for (const file of await readdir(directory).catch(() => [])) {
			if (!file.endsWith('.vbox')) continue;
			const settings = await tryRead(path.join(directory, file), record.id);
			if (settings) return settings;
		}
	}
	return undefined;
}

async function tryRead(file: string, id: string): Promise<MachineSettings | undefined> {
	const text = await readFile(file, 'utf8').catch(() => undefined);
	return text === undefined ? undefined : parseSettings(text, id, file);
}
