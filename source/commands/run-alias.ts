import type {Alias} from '../model/alias.ts';
import type {CommandContext} from './command.ts';
import {execute} from './exec.ts';

/**
 * Runs what an alias stands for. Everything after its name is the command's, options too; a `--` in front, which says so,
 * is left out.
 * @returns the exit code of the command
 */
export async function runAlias(
	{instance, command, map}: Alias,
	rest: readonly string[],
	verbosity: number,
	context: CommandContext,
): Promise<number> {
	const args = rest[0] === '--' ? rest.slice(1) : rest;
	return execute(
		{name: instance, command: [command, ...args], directory: map ? 'mapped' : undefined, verbosity},
		context,
	);
}
