import {constants} from 'node:fs';
import {access, stat} from 'node:fs/promises';
import path from 'node:path';
import type {Mount} from '../model/mount.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext} from './command.ts';
import {usageError} from './parse.ts';

/** Looks at a directory of this host that is to be mounted. @returns its absolute path @throws DroverError `usage.invalid` */
export async function mountSource(source: string, context: CommandContext): Promise<string> {
	const absolute = path.resolve(context.cwd, source);
	const shown = JSON.stringify(plainLine(source).slice(0, 200));
	const found = source === '' ? undefined : await stat(absolute).catch(() => undefined);
	if (found === undefined) throw usageError(`Mount source path ${shown} does not exist.`);
	if (!found.isDirectory()) throw usageError(`Mount source path ${shown} is not a directory.`);
	await access(absolute, constants.R_OK).catch(() => {
		throw usageError(`Mount source path ${shown} is not readable.`);
	});
	return absolute;
}

/** What `--type` says. @throws DroverError `usage.invalid` */
export function mountTypeOf(text: string | undefined): Mount['type'] | undefined {
	if (text === undefined || text === 'classic' || text === 'native') return text;
	throw usageError(
		`Bad mount type ${JSON.stringify(plainLine(text).slice(0, 40))} given.`,
		'The types are classic and native.',
	);
}

/** Takes `NAME[:PATH]` apart: no name has a colon. @throws DroverError `usage.invalid` without a name */
export function instanceAndPath(text: string): {name: string; path?: string} {
	const at = text.indexOf(':');
	const name = at < 0 ? text : text.slice(0, at);
	if (name === '') {
		throw usageError(
			`${JSON.stringify(plainLine(text).slice(0, 100))} names no instance.`,
			'Write it as <name> or <name>:<path>.',
		);
	}
	return at < 0 ? {name} : {name, path: text.slice(at + 1)};
}
