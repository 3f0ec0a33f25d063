import type {CommandContext} from './command.ts';
import {followLaunch} from './launch-follow.ts';
import {answerTimeout} from './parse.ts';

/** Launches the primary instance, which was asked for and is not there, with the defaults. */
export async function launchPrimary(name: string, timeout: number | undefined, context: CommandContext): Promise<void> {
	await followLaunch({name, by: context.user, ...answerTimeout(timeout)}, timeout, context);
}
