import type {CommandArguments, CommandContext} from './command.ts';
import {actOnNames} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	return actOnNames(args, {action: 'recover'}, context);
}
