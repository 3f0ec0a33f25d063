import type {Alias, AliasBook} from '../model/alias.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {compactTable, csvLine, dataText, formatOf, formats} from './formats.ts';
import {atMost} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const format = formatOf(args, formats);
	const book = await (await context.aliases()).read();
	switch (format) {
		case 'table':
			context.stdout.write(aliasesTable(book));
			break;
		case 'csv':
			context.stdout.write(aliasesCsv(book));
			break;
		case 'json':
			context.stdout.write(await dataText(format, jsonData(book)));
			break;
		case 'yaml':
			context.stdout.write(await dataText(format, yamlData(book)));
	}
	return 0;
}

const directoryOf = ({map}: Alias) => (map ? 'map' : 'default');

/** The current context has a star. */
const contextOf = ({context}: Alias, {active}: AliasBook) => (context === active ? `${context}*` : context);

function aliasesTable(book: AliasBook): string {
	if (book.aliases.length === 0) return 'No aliases defined.\n';
	return compactTable([
		['Alias', 'Instance', 'Command', 'Context', 'Working directory'],
		...book.aliases.map(alias => [
			alias.name,
			alias.instance,
			plainLine(alias.command),
			contextOf(alias, book),
			directoryOf(alias),
		]),
	]);
}

function aliasesCsv(book: AliasBook): string {
	const lines = book.aliases.map(alias =>
		csvLine([alias.name, alias.instance, alias.command, directoryOf(alias), contextOf(alias, book)]),
	);
	return `Alias,Instance,Command,Working directory,Context\n${lines.join('')}`;
}

/** The contexts with their aliases; the current one is there without any, too. */
function contexts({active, aliases}: AliasBook): ReadonlyArray<readonly [string, readonly Alias[]]> {
	const names = [...new Set([active, ...aliases.map(alias => alias.context)])].sort();
	return names.map(name => [name, aliases.filter(alias => alias.context === name)]);
}

function jsonData(book: AliasBook) {
	return {
		'active-context': book.active,
		contexts: Object.fromEntries(
			contexts(book).map(([context, aliases]) => [
				context,
				Object.fromEntries(
					aliases.map(alias => [
						alias.name,
						{command: plainLine(alias.command), instance: alias.instance, 'working-directory': directoryOf(alias)},
					]),
				),
			]),
		),
	};
}

function yamlData(book: AliasBook) {
	return {
		active_context: book.active,
		aliases: Object.fromEntries(
			contexts(book).map(([context, aliases]) => [
				context,
				aliases.map(alias => ({
					alias: alias.name,
					command: plainLine(alias.command),
					instance: alias.instance,
					'working-directory': directoryOf(alias),
				})),
			]),
		),
	};
}
