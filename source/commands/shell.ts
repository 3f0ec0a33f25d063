import {DroverError} from '../model/errors.ts';
import type {InstanceView} from '../model/instance.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {atMost, timeoutOf} from './parse.ts';
import {launchPrimary} from './primary.ts';
import {openSession} from './session.ts';
import {namesOrPrimary, primaryName} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 1);
	const timeout = timeoutOf(args);
	const engine = await context.engine();
	const [name = ''] = await namesOrPrimary(args.positionals, engine);
	const instance = (await engine.list()).find(candidate => candidate.name === name);
	if (instance === undefined) {
		if (name === (await primaryName(engine))) await launchPrimary(name, timeout, context);
	} else {
		refuseIfClosing(instance, Date.now());
	}
	// Both have to be terminals: a shell that reads a file must not wait for keys.
	const tty = context.stdin.isTTY && context.stdout.isTTY;
	return openSession(name, {timeout, command: {tty}, verbosity: args.verbosity}, context);
}

/** A shell that would be cut off at once is refused, as in Multipass. @throws DroverError `instance.state` */
export function refuseIfClosing({name, state, shutdownAt}: InstanceView, now: number): void {
	if (state !== 'Delayed Shutdown' || shutdownAt === undefined || Date.parse(shutdownAt) - now > 60_000) return;
	throw new DroverError('instance.state', `instance "${name}" is scheduled to stop in less than a minute.`, {
		next: `"drover stop --cancel ${name}" calls that off.`,
	});
}
