import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [name, ...more] = args.positionals;
	if (name === undefined || more.length > 0) throw usageError('Need exactly one instance name.');
	const engine = await context.engine();
	const {keptIn} = await engine.forget({name, by: context.user});
	context.stdout.write(
		keptIn === undefined ? `Ended: ${name}\n` : `Forgotten: ${name}; its files are kept in ${plainLine(keptIn)}\n`,
	);
	return 0;
}
