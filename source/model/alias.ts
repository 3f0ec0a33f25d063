import {DroverError} from './errors.ts';
import {nameProblem} from './names.ts';
import {plainLine} from './text.ts';

/** A name of the user's own for a command in an instance. */
export type Alias = {
	/** Aliases of the same name may be in several contexts; one context is current. */
	readonly context: string;
	readonly name: string;
	readonly instance: string;
	/** A program, without arguments: those come from whoever calls the alias. */
	readonly command: string;
	/** Whether the directory in which it is called is looked for among the instance's mounts. */
	readonly map: boolean;
};

/** All aliases of a user. A context is there while it is current or has aliases. */
export type AliasBook = {readonly active: string; readonly aliases: readonly Alias[]};

export const emptyBook: AliasBook = {active: 'default', aliases: []};

const longest = 128;

/** Why a text cannot name an alias: each is also the name of a script. Rule: Multipass, for all platforms alike. */
export function aliasNameProblem(name: string): string | undefined {
	if (name === '') return 'it is empty';
	if (name.length > longest) return `it has more than ${longest} characters`;
	if (name.startsWith('-')) return 'it begins with a hyphen';
	if (name === '.' || name === '..') return 'it stands for a directory';
	return /[\s\p{C}/\\:*?"'<>|]/u.test(name) ? 'it cannot be the name of a file' : undefined;
}

/** A dot stands between a context and an alias. */
export function contextNameProblem(name: string): string | undefined {
	return aliasNameProblem(name) ?? (name.includes('.') ? 'it has a dot' : undefined);
}

export function commandProblem(command: string): string | undefined {
	if (command === '') return 'it is empty';
	if (command.length > 4096) return 'it is too long';
	return plainLine(command) === command ? undefined : 'it has characters that cannot be seen';
}

/** `<instance>:<command>`. @throws DroverError `usage.invalid` */
export function parseDefinition(text: string): {readonly instance: string; readonly command: string} {
	const at = text.indexOf(':');
	const [instance, command] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
	if (at > 0 && nameProblem(instance) === undefined && commandProblem(command) === undefined) {
		return {instance, command};
	}
	throw new DroverError('usage.invalid', `Invalid alias definition: ${shown(text)}.`, {
		next: 'Write it as <instance>:<command>, for example web:ls.',
	});
}

/** What an alias is called when nobody says: the program without its directory. */
export function aliasNameOf(command: string): string {
	return command.slice(command.lastIndexOf('/') + 1);
}

/**
 * The alias that a word stands for: one of the current context, or `<context>.<name>`. An alias may have dots itself, and
 * then comes first.
 */
export function findAlias({active, aliases}: AliasBook, word: string): Alias | undefined {
	return (
		aliases.find(alias => alias.context === active && alias.name === word) ??
		aliases.find(alias => `${alias.context}.${alias.name}` === word)
	);
}

/** @throws DroverError `usage.invalid` when the current context has one of that name */
export function withAlias(book: AliasBook, alias: Omit<Alias, 'context'>): AliasBook {
	const {active, aliases} = book;
	if (aliases.some(other => other.context === active && other.name === alias.name)) {
		throw new DroverError('usage.invalid', `Alias ${shown(alias.name)} already exists in the context ${active}.`, {
			next: 'Choose another name, or remove it first with "drover unalias".',
		});
	}
	return {active, aliases: inOrder([...aliases, {context: active, ...alias}])};
}

/** @throws DroverError `usage.invalid` when one of the words stands for none; then none is removed */
export function withoutAliases(book: AliasBook, words: readonly string[]): AliasBook {
	const found = words.map(word => findAlias(book, word));
	const unknown = words.filter((_, index) => found[index] === undefined);
	if (unknown.length > 0) {
		const what = unknown.length === 1 ? 'Nonexistent alias' : 'Nonexistent aliases';
		throw new DroverError('usage.invalid', `${what}: ${unknown.map(shown).join(', ')}.`, {
			next: '"drover aliases" lists those there are.',
		});
	}
	return {...book, aliases: book.aliases.filter(alias => !found.includes(alias))};
}

/** The current context without its aliases. */
export function emptied({active, aliases}: AliasBook): AliasBook {
	return {active, aliases: aliases.filter(alias => alias.context !== active)};
}

/** Without those that lead into an instance. */
export function withoutInstance({active, aliases}: AliasBook, instance: string): AliasBook {
	return {active, aliases: aliases.filter(alias => alias.instance !== instance)};
}

function inOrder(aliases: readonly Alias[]): readonly Alias[] {
	const key = ({context, name}: Alias) => `${context}\0${name}`;
	return [...aliases].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function shown(text: string): string {
	return JSON.stringify(plainLine(text).slice(0, 80));
}
