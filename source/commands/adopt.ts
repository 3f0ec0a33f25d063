import type {CommandArguments, CommandContext} from './command.ts';
import {formatOf} from './formats.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const from = args.value('from');
	const format = formatOf(args, ['table', 'json', 'yaml']);
	if (from !== undefined) {
		if (from === '') throw usageError('The option --from needs the name of the software.');
		const {adoptFrom} = await import('./adopt-from.ts');
		return adoptFrom(from.toLowerCase(), args, format, context);
	}
	const [name, ...more] = args.positionals;
	if (args.has('all') || args.has('format')) throw usageError('--all and --format are for --from.');
	if (name === undefined || more.length > 0) throw usageError('Need exactly one instance name.');
	const engine = await context.engine();
	const {state} = await engine.adopt({name, by: context.user});
	context.stdout.write(`Adopted: ${name} (${state})\n`);
	return 0;
}
