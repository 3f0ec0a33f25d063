import {chmod, readdir, readFile, rm} from 'node:fs/promises';
import path from 'node:path';
import type {AliasBook} from '../model/alias.ts';
import type {Platform} from '../model/driver-name.ts';
import {thisSystem} from '../platform/system.ts';
import {removeLeftovers, writeAtomic} from './atomic.ts';
import {makePrivate} from './paths.ts';

/** How a script calls drover. */
export type Launcher = {
	/** A program and its first arguments. */
	readonly command: readonly string[];
	/** The home that drover was called with. */
	readonly home?: string | undefined;
};

/** By this line a script is known for one of drover's. */
const mark = 'An alias of drover; made and removed by it.';

/**
 * Makes a script for each alias, under its name and under `<context>.<name>`, and removes those of aliases that are gone.
 * Which alias a name stands for is decided when it is called, by the context that is current then.
 */
export async function syncScripts(
	directory: string,
	{aliases}: AliasBook,
	launcher: Launcher | undefined,
	platform: Platform = thisSystem().platform,
): Promise<void> {
	const names = aliases.flatMap(({context, name}) => [name, `${context}.${name}`]);
	const wanted = new Map(names.map(name => [platform === 'win32' ? `${name}.cmd` : name, name]));
	if (wanted.size > 0) makePrivate(directory);
	const present = await readdir(directory).catch(() => []);
	await removeLeftovers(directory);
	for (const name of present) {
		if (!wanted.has(name) && (await isOurs(path.join(directory, name)))) await rm(path.join(directory, name));
	}
	if (launcher === undefined) return;
	for (const [fileName, name] of wanted) {
		const file = path.join(directory, fileName);
		const text = platform === 'win32' ? batchText(name, launcher) : scriptText(name, launcher);
		if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
		await writeAtomic(file, text, 0o700);
		await chmod(file, 0o700);
	}
}

async function isOurs(file: string): Promise<boolean> {
	return (await readFile(file, 'utf8').catch(() => ''))
		.split(/\r?\n/)
		.some(line => line === `# ${mark}` || line === `rem ${mark}`);
}

export function scriptText(name: string, {command, home}: Launcher): string {
	const lines = [
		'#!/bin/sh',
		`# ${mark}`,
		...(home === undefined || home === '' ? [] : [`DROVER_HOME=${quoted(home)}`, 'export DROVER_HOME']),
		`exec ${[...command, name].map(quoted).join(' ')} -- "$@"`,
	];
	return `${lines.join('\n')}\n`;
}

/** As {@link scriptText}, for cmd of Windows, which hands on what it was called with as it is. */
export function batchText(name: string, {command, home}: Launcher): string {
	// No name of a file has a quote there; what is between two percent signs would be replaced.
	const word = (text: string) => `"${text.replaceAll('%', '%%')}"`;
	const lines = [
		'@echo off',
		`rem ${mark}`,
		'setlocal',
		...(home === undefined || home === '' ? [] : [`set ${word(`DROVER_HOME=${home}`)}`]),
		`${[...command, name].map(word).join(' ')} -- %*`,
	];
	return `${lines.join('\r\n')}\r\n`;
}

/** Nothing between single quotes means anything to a shell. */
function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
