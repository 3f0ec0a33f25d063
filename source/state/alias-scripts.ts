import {chmod, readdir, readFile, rm} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import type {AliasBook} from '../model/alias.ts';
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
const mark = '# An alias of drover; made and removed by it.';

/**
 * Makes a script for each alias, under its name and under `<context>.<name>`, and removes those of aliases that are gone.
 * Which alias a name stands for is decided when it is called, by the context that is current then.
 */
export async function syncScripts(
	directory: string,
	{aliases}: AliasBook,
	launcher: Launcher | undefined,
): Promise<void> {
	// Windows runs no such scripts.
	if (process.platform === 'win32') return;
	const wanted = new Set(aliases.flatMap(({context, name}) => [name, `${context}.${name}`]));
	if (wanted.size > 0) makePrivate(directory);
	const present = await readdir(directory).catch(() => []);
	await removeLeftovers(directory);
	for (const name of present) {
		if (!wanted.has(name) && (await isOurs(path.join(directory, name)))) await rm(path.join(directory, name));
	}
	if (launcher === undefined) return;
	for (const name of wanted) {
		const file = path.join(directory, name);
		const text = scriptText(name, launcher);
		if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
		await writeAtomic(file, text, 0o700);
		await chmod(file, 0o700);
	}
}

async function isOurs(file: string): Promise<boolean> {
	return (await readFile(file, 'utf8').catch(() => '')).includes(`\n${mark}\n`);
}

export function scriptText(name: string, {command, home}: Launcher): string {
	const lines = [
		'#!/bin/sh',
		mark,
		...(home === undefined || home === '' ? [] : [`DROVER_HOME=${quoted(home)}`, 'export DROVER_HOME']),
		`exec ${[...command, name].map(quoted).join(' ')} -- "$@"`,
	];
	return `${lines.join('\n')}\n`;
}

/** Nothing between single quotes means anything to a shell. */
function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
