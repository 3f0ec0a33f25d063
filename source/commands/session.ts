import {causeText, DroverError} from '../model/errors.ts';
import type {DirectAccess, GuestAccess} from '../model/guest-access.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext, DirectCommand} from './command.ts';
import {follow} from './follow.ts';
import {answerTimeout} from './parse.ts';
import {following} from './start.ts';

export type SessionOptions = {
	readonly command: DirectCommand;
	/** Seconds that starting may take. */
	readonly timeout?: number | undefined;
	/** With any, the way into the guest is told where it is not the usual one. */
	readonly verbosity: number;
};

/**
 * Runs a command or a shell in an instance on this terminal; one that is not running is started first.
 * @returns the exit code of what ran, or 255 when ssh could not reach the guest
 */
export async function openSession(name: string, options: SessionOptions, context: CommandContext): Promise<number> {
	const access = await reach(name, options.timeout, context);
	// A session may last for days; the daemon need not wait for its end.
	await context.closeEngine();
	if (access.kind === 'lxd') {
		tellWay(access, options.verbosity, context);
		return context.runDirect(access.direct, options.command);
	}
	const {sshArguments} = await import('../guest/ssh-command.ts');
	const argv = sshArguments(access.ssh, options.command);
	try {
		return await context.run('ssh', argv);
	} catch (error) {
		throw new DroverError('host.failed', `ssh could not be run: ${causeText(error)}`, {
			next: 'Install the OpenSSH client; "drover doctor" tells how.',
			cause: error,
		});
	}
}

/** On stderr, since what the guest's program writes is all that belongs on stdout. */
export function tellWay(
	{direct, reason}: {readonly direct: DirectAccess; readonly reason: string},
	verbosity: number,
	context: CommandContext,
): void {
	if (verbosity === 0) return;
	context.stderr.write(`${plainLine(`${direct.name} is reached by way of its server: ${reason}`)}.\n`);
}

/** How to get into an instance, which is started first when it does not run. */
export async function reach(name: string, timeout: number | undefined, context: CommandContext): Promise<GuestAccess> {
	const engine = await context.engine();
	try {
		return await engine.access({name});
	} catch (error) {
		if (!(error instanceof DroverError) || error.code !== 'instance.state') throw error;
	}
	await follow(
		context,
		engine,
		() => engine.act({action: 'start', names: [name], by: context.user, options: answerTimeout(timeout)}),
		following(timeout),
	);
	return engine.access({name});
}
