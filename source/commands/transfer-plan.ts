import {nameProblem} from '../model/names.ts';
import {plainLine} from '../model/text.ts';
import {usageError} from './parse.ts';

type GuestPath = {readonly name: string; readonly path: string};

/** What is to be copied where; `-` is this process's own stream. */
export type TransferPlan =
	| {readonly kind: 'push'; readonly sources: readonly string[]; readonly target: GuestPath}
	| {readonly kind: 'pull'; readonly sources: readonly GuestPath[]; readonly target: string};

export const streamWord = '-';

/** @throws DroverError `usage.invalid` */
export function planTransfer(words: readonly string[], {recursive}: {recursive: boolean}): TransferPlan {
	if (words.length < 2) throw usageError('Not enough arguments given.', 'drover transfer <source> <name>:<path>');
	if (words.includes('')) throw usageError('A source or target is empty.', 'Write "." for the directory you are in.');
	if (words.includes(streamWord)) {
		if (words.length > 2) throw usageError('Only one source and one target are possible with "-".');
		if (recursive) throw usageError('"-" stands for one file, so --recursive has no use with it.');
	}
	const sources = words.slice(0, -1);
	const target = words.at(-1)!;
	const there = guestPath(target);
	const from = sources.map(guestPath);
	if (there !== undefined) {
		if (from.some(each => each !== undefined)) {
			throw usageError(
				'Sources and target are both in instances, and one side must be on the host.',
				'Copy to the host first, or through a pipe: drover transfer a:file - | drover transfer - b:file',
			);
		}
		return {kind: 'push', sources, target: there};
	}
	const stranger = sources.find((_, index) => from[index] === undefined);
	if (stranger !== undefined) {
		throw usageError(
			from.some(each => each !== undefined)
				? `${JSON.stringify(plainLine(stranger).slice(0, 100))} is not in an instance, and the other sources are.`
				: 'Neither sources nor target are in an instance.',
			'Write what is in an instance as <name>:<path>.',
		);
	}
	return {kind: 'pull', sources: from as readonly GuestPath[], target};
}

/** `NAME:PATH`, when what is before the colon can be the name of an instance. */
function guestPath(text: string): GuestPath | undefined {
	const at = text.indexOf(':');
	if (at < 0 || nameProblem(text.slice(0, at)) !== undefined) return undefined;
	const path = text.slice(at + 1);
	// People write it for the home, where paths begin anyway.
	return {name: text.slice(0, at), path: path === '~' ? '' : path.replace(/^~\/+/, '')};
}
