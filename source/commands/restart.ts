import type {CommandArguments, CommandContext} from './command.ts';
import {answerTimeout, timeoutOf} from './parse.ts';
import {actOnNamesOrPrimary} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const timeout = timeoutOf(args);
	return actOnNamesOrPrimary(
		args,
		{
			action: 'restart',
			options: answerTimeout(timeout),
			follow: {timeout, timeoutText: 'Timed out waiting for instance to restart.'},
		},
		context,
	);
}
