import path from 'node:path';
import process from 'node:process';
import type {Engine} from '../engine/engine.ts';
import {causeText, type ErrorData, errorData} from '../model/errors.ts';
import type {GuestAccess} from '../model/guest-access.ts';
import {plainLine} from '../model/text.ts';
import type {Message} from './store/model.ts';

/** What has the terminal while a person is in a guest. */
export type ShellCommand = {
	readonly command: string;
	readonly args: readonly string[];
	/** The line above it: where one is, and why this way. */
	readonly banner: string;
};

/** How this program is started: Node and the entry file. */
export type Program = {readonly node: string; readonly entry: string};

/**
 * The command that opens a shell in an instance. Where SSH leads nowhere the program runs itself: its own `shell` knows
 * the way through the hypervisor, and has the terminal to itself, as ssh has.
 */
export async function shellCommand(name: string, access: GuestAccess, program: Program): Promise<ShellCommand> {
	const banner = (how: string) => `drover: shell in ${plainLine(name)}${how}; exit comes back\r\n`;
	if (access.kind === 'lxd') {
		return {
			command: program.node,
			args: [program.entry, 'shell', name],
			banner: banner(` by way of LXD, because ${plainLine(access.reason)}`),
		};
	}
	const {sshArguments} = await import('../guest/ssh-command.ts');
	return {command: 'ssh', args: sshArguments(access.ssh), banner: banner('')};
}

type Options = {
	readonly engine: () => Pick<Engine, 'access'>;
	/** Runs a program with the whole terminal. @returns its exit code */
	readonly run: (command: string, args: readonly string[], banner: string) => Promise<number>;
	readonly dispatch: (message: Message) => void;
	readonly now: () => number;
	readonly program?: Program;
};

/** Lends the terminal to a shell in an instance, and tells how it ended. Never rejects. */
export async function openShell(
	name: string,
	{engine, run, dispatch, now, program = ownProgram()}: Options,
): Promise<void> {
	try {
		const access = await engine().access({name});
		const {command, args, banner} = await shellCommand(name, access, program);
		const code = await run(command, args, banner);
		// 255 is ssh's own; every other code is that of the last command in the guest, and nobody's concern.
		if (access.kind === 'ssh' && code === 255) {
			throw new Error(`ssh could not reach ${name}, or the connection broke (exit code 255)`);
		}
		// Which of the two it was cannot be told apart on the other way: the code is shown, for what was said is gone.
		const how = access.kind === 'lxd' && code !== 0 ? ` (exit code ${code})` : '';
		dispatch({type: 'toast', text: `Back from ${plainLine(name)}${how}.`, level: 'info'});
	} catch (error) {
		dispatch({type: 'failed', what: `shell ${name}`, error: failure(error), at: now()});
	}
}

function ownProgram(): Program {
	return {node: process.execPath, entry: path.resolve(process.argv[1] ?? '')};
}

function failure(error: unknown): ErrorData {
	if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
		return {code: 'host.failed', message: 'there is no ssh program on this machine', next: 'Install OpenSSH.'};
	}
	if (error instanceof Error && error.name === 'DroverError') return errorData(error);
	return {
		code: 'guest.unanswered',
		message: causeText(error),
		next: 'ctrl-r looks again; b shows what is under way.',
	};
}
