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
	const given = args.value('working-directory');
	if (given !== undefined && args.has('no-map-working-directory')) {
		throw usageError('Options --working-directory and --no-map-working-directory clash.');
	}
	if (given === '') throw usageError('The working directory is empty.');
	const isMapped = given === undefined && !args.has('no-map-working-directory');
	const directory = isMapped ? 'mapped' : given === undefined ? undefined : {path: given};
	return execute({name, command, directory, verbosity: args.verbosity}, context);
}

export type Execution = {
	readonly name: string;
	readonly command: readonly string[];
	/** `mapped`: where the caller's directory is mounted. `undefined`: the home of the instance's user. */
	readonly directory: {readonly path: string} | 'mapped' | undefined;
	readonly verbosity: number;
};

/** Runs a command in an instance. @returns its exit code, or 255 when ssh could not reach the guest */
export async function execute(
	{name, command, directory, verbosity}: Execution,
	context: CommandContext,
): Promise<number> {
	const tty = context.stdin.isTTY && context.stdout.isTTY;
	const workingDirectory = directory === 'mapped' ? await mappedDirectory(name, context) : directory?.path;
	const where = workingDirectory === undefined ? {} : {workingDirectory};
	return openSession(name, {command: {command, tty, ...where}, verbosity}, context);
}

/** Who stands in a directory that the instance has mounted, means it there too. Rule: Multipass. */
async function mappedDirectory(name: string, context: CommandContext): Promise<string | undefined> {
	const engine = await context.engine();
	const instance = (await engine.list()).find(candidate => candidate.name === name);
	return seenAt(context.cwd, instance?.mounts ?? []);
}
