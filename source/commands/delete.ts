import {DroverError} from '../model/errors.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {actOnNames} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	// No instance has a dot in its name: this is how a snapshot is written.
	if (args.positionals.some(name => name.includes('.'))) {
		throw new DroverError('driver.incapable', 'snapshots are not in this version of drover.');
	}
	return actOnNames(args, {action: 'delete', ...(args.has('purge') ? {options: {purge: true}} : {})}, context);
}
