import {readFile, stat} from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import {causeWords} from '../model/cause-words.ts';
import {plainLine} from '../model/text.ts';

/** Bytes; a longer file is not read. */
const longest = 2 ** 20;

/** What is in a file that a user writes: a list of things, each checked by itself. */
export type UserList<Item> = {
	readonly items: ReadonlyArray<UserItem<Item>>;
	/** Sentences about what could not be used, with the line. */
	readonly problems: string[];
};

export type UserItem<Item> = {
	readonly value: Item;
	/** A sentence about a part of it, with its line. */
	readonly problem: (keys: readonly (string | number)[], what: string, isNamed?: boolean) => string;
	/** The text of a part as it stands in the file, with the indentation of its first line. */
	readonly source: (key: string) => string | undefined;
};

/**
 * Reads the first of some files that is there: YAML or JSON with a list under a key. Nothing is there: an empty list. What
 * is wrong is told and left out, the others stay.
 */
export async function readUserList<Schema extends v.GenericSchema>(
	directory: string,
	fileNames: readonly string[],
	listName: string,
	schema: Schema,
): Promise<UserList<v.InferOutput<Schema>>> {
	for (const fileName of fileNames) {
		const found = await stat(path.join(directory, fileName)).catch(() => undefined);
		if (found === undefined) continue;
		if (found.size > longest) return {items: [], problems: [`${fileName} is too long to be read.`]};
		try {
			const text = await readFile(path.join(directory, fileName), 'utf8');
			return await parseUserList(text, fileName, listName, schema);
		} catch (error) {
			return {items: [], problems: [`${fileName} cannot be read: ${plainLine(causeWords(error))}.`]};
		}
	}
	return {items: [], problems: []};
}

export async function parseUserList<Schema extends v.GenericSchema>(
	text: string,
	fileName: string,
	listName: string,
	schema: Schema,
): Promise<UserList<v.InferOutput<Schema>>> {
	const {LineCounter, parseDocument} = await import('yaml');
	const lines = new LineCounter();
	// JSON is YAML, so both are read by the same reader, which knows the lines.
	const document = parseDocument(text, {lineCounter: lines, prettyErrors: false});
	const [broken] = document.errors;
	if (broken !== undefined) {
		const {line: at} = lines.linePos(broken.pos[0]);
		return {items: [], problems: [sentence(fileName, at, `${plainLine(broken.message).replace(/\.$/, '')}`)]};
	}
	const root: unknown = document.toJS({maxAliasCount: 100});
	const list =
		typeof root === 'object' && root !== null ? (root as Readonly<Record<string, unknown>>)[listName] : undefined;
	if (!Array.isArray(list)) {
		return {items: [], problems: [sentence(fileName, 1, `it must have a list called ${listName}`)]};
	}
	const rangeOf = (keys: readonly (string | number)[]) =>
		(document.getIn(keys, true) as {range?: readonly [number, number, number]} | undefined)?.range ?? undefined;
	/** The line of the deepest part of the way that is there. */
	const lineOf = (keys: readonly (string | number)[]): number => {
		for (let length = keys.length; length > 0; length--) {
			const start = rangeOf(keys.slice(0, length))?.[0];
			if (start !== undefined) return lines.linePos(start).line;
		}
		return 1;
	};
	const items: Array<UserItem<v.InferOutput<Schema>>> = [];
	const problems: string[] = [];
	for (const [index, value] of list.entries()) {
		const problem: UserItem<unknown>['problem'] = (keys, what, isNamed = true) => {
			const way = [listName, index, ...keys];
			return sentence(fileName, lineOf(way), isNamed ? `${dotted(way)} ${what}` : what);
		};
		const read = v.safeParse(schema, value);
		if (!read.success) {
			const [issue] = read.issues;
			problems.push(
				problem(
					(issue.path ?? []).map(({key}) => key as string | number),
					complaint(issue),
				),
			);
			continue;
		}
		items.push({
			value: read.output,
			problem,
			source(key) {
				const range = rangeOf([listName, index, key]);
				if (range === undefined) return undefined;
				return `${' '.repeat(lines.linePos(range[0]).col - 1)}${text.slice(range[0], range[1])}`;
			},
		});
	}
	return {items, problems};
}

function complaint(issue: v.BaseIssue<unknown>): string {
	if (issue.type !== 'strict_object') return issue.message;
	if (issue.expected === 'never') return 'is not known';
	return issue.received === 'undefined' ? 'is missing' : 'must be a map of keys and values';
}

function dotted(keys: readonly (string | number)[]): string {
	return keys.map((key, at) => (typeof key === 'number' ? `[${key}]` : at === 0 ? key : `.${key}`)).join('');
}

function sentence(fileName: string, at: number, what: string): string {
	return plainLine(`${fileName}, line ${at}: ${what}.`).slice(0, 400);
}
