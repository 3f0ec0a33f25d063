import type {CommandArguments, CommandContext} from './command.ts';
import {actOnNamesOrPrimary} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	return actOnNamesOrPrimary(args, {action: 'suspend'}, context);
}
