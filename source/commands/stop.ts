import type {ActionOptions} from '../model/instance.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {usageError} from './parse.ts';
import {actOnNamesOrPrimary} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	return actOnNamesOrPrimary(args, {action: 'stop', options: stopOptions(args)}, context);
}

/** @throws DroverError `usage.invalid` for a bad time and for options that exclude each other */
function stopOptions(args: CommandArguments): ActionOptions {
	const force = args.has('force');
	const cancelDelayed = args.has('cancel');
	const time = args.value('time');
	if (time !== undefined && cancelDelayed) throw usageError('Cannot set --time and --cancel at the same time.');
	if (force && time !== undefined) throw usageError('Cannot set --force and --time at the same time.');
	if (force && cancelDelayed) throw usageError('Cannot set --force and --cancel at the same time.');
	if (force) return {force};
	if (cancelDelayed) return {cancelDelayed};
	if (time === undefined) return {};
	// A year is far beyond any use, and within what a timer can be asked for step by step.
	const match = /^\+?(\d{1,6})$/.exec(time);
	if (!match || Number(match[1]) > 525_600) {
		throw usageError(`Invalid --time ${JSON.stringify(time)}: it must be a whole number of minutes, digits only.`);
	}
	return {delayMinutes: Number(match[1])};
}
