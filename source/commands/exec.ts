import {seenAt} from '../model/mount.ts';
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
	const directory =
		workingDirectory ?? (args.has('no-map-working-directory') ? undefined : await mappedDirectory(name, context));
	const where = directory === undefined ? {} : {workingDirectory: directory};
	return openSession(name, {command: {command, tty, ...where}, verbosity: args.verbosity}, context);
}

/** Who stands in a directory that the instance has mounted, means it there too. Rule: Multipass. */
async function mappedDirectory(name: string, context: CommandContext): Promise<string | undefined> {
	const engine = await context.engine();
	const instance = (await engine.list()).find(candidate => candidate.name === name);
	return seenAt(context.cwd, instance?.mounts ?? []);
}
