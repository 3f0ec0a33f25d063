import {emptied, withoutAliases} from '../model/alias.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {namesOrAll, usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const {names, all} = namesOrAll(args);
	if (names.length === 0 && !all) throw usageError('Name argument or --all is required.');
	await (await context.aliases()).change(book => (all ? emptied(book) : withoutAliases(book, names)));
	return 0;
}
