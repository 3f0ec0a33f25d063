import {contextNameProblem} from '../model/alias.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {atMost, usageError} from './parse.ts';

/** A context needs no making: it is there while it is the current one or has aliases. */
export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [name] = args.positionals;
	if (name === undefined) throw usageError('Wrong number of arguments: the name of a context is needed.');
	atMost(args, 1);
	const problem = contextNameProblem(name);
	if (problem !== undefined) {
		throw usageError(`Invalid context name ${JSON.stringify(plainLine(name).slice(0, 80))}: ${problem}.`);
	}
	await (await context.aliases()).change(book => ({...book, active: name}));
	return 0;
}
