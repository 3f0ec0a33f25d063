import type {SshAccess} from '../engine/engine.ts';
import type {SshCommand} from '../guest/ssh-command.ts';
import {causeText, DroverError} from '../model/errors.ts';
import type {CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {answerTimeout} from './parse.ts';
import {following} from './start.ts';

export type SessionOptions = {
	readonly command: SshCommand;
	/** Seconds that starting may take. */
	readonly timeout?: number | undefined;
};

/**
 * Runs a command or a shell in an instance on this terminal; one that is not running is started first.
 * @returns the exit code of what ran, or 255 when ssh could not reach the guest
 */
export async function openSession(name: string, options: SessionOptions, context: CommandContext): Promise<number> {
	const access = await reach(name, options.timeout, context);
	// A session may last for days; the daemon need not wait for its end.
	await context.closeEngine();
	const {sshArguments} = await import('../guest/ssh-command.ts');
	const argv = sshArguments(access, options.command);
	try {
		return await context.run('ssh', argv);
	} catch (error) {
		throw new DroverError('host.failed', `ssh could not be run: ${causeText(error)}`, {
			next: 'Install the OpenSSH client; "drover doctor" tells how.',
			cause: error,
		});
	}
}

async function reach(name: string, timeout: number | undefined, context: CommandContext): Promise<SshAccess> {
	const engine = await context.engine();
	try {
		return await engine.ssh({name});
	} catch (error) {
		if (!(error instanceof DroverError) || error.code !== 'instance.state') throw error;
	}
	await follow(
		context,
		engine,
		() => engine.act({action: 'start', names: [name], by: context.user, options: answerTimeout(timeout)}),
		following(timeout),
	);
	return engine.ssh({name});
}
