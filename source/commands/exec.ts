import type {CommandArguments, CommandContext} from './command.ts';
import {usageError} from './parse.ts';
import {openSession} from './session.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [name, ...command] = args.positionals;
	if (name === undefined || command.length === 0) {
		throw usageError(
			'Wrong number of arguments: an instance and a command are needed.',
			'drover exec <name> -- <command> <arguments>',
		);
	}
	const workingDirectory = args.value('working-directory');
	if (workingDirectory !== undefined && args.has('no-map-working-directory')) {
		throw usageError('Options --working-directory and --no-map-working-directory clash.');
	}
	if (workingDirectory === '') throw usageError('The working directory is empty.');
	const tty = context.stdin.isTTY && context.stdout.isTTY;
	return openSession(
		name,
		{command: {command, tty, ...(workingDirectory === undefined ? {} : {workingDirectory})}},
		context,
	);
}
