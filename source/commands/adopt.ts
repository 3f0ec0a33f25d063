import type {CommandArguments, CommandContext} from './command.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [name, ...more] = args.positionals;
	if (name === undefined || more.length > 0) throw usageError('Need exactly one instance name.');
	const engine = await context.engine();
	const {state} = await engine.adopt({name, by: context.user});
	context.stdout.write(`Adopted: ${name} (${state})\n`);
	return 0;
}
