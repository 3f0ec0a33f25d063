import {constants} from 'node:os';
import process from 'node:process';
import {isatty} from 'node:tty';
import type {Connection, Engine} from '../engine/engine.ts';
import {spawnable} from '../platform/programs.ts';
import {hangUp} from '../platform/signals.ts';
import {thisSystem} from '../platform/system.ts';
import {userName} from '../platform/user-name.ts';
import type {AliasStore} from '../state/alias-store.ts';
import type {CommandContext, Input, KeyLine, Output} from './command.ts';
import {usageError} from './parse.ts';

export type ProcessContextOptions = {
	connect(options: {start: boolean}): Promise<Connection>;
	keys(): Promise<readonly KeyLine[]>;
	aliases(): Promise<AliasStore>;
};

/** The context of a command that was called from a shell: this process. */
export function processContext({connect, keys, aliases}: ProcessContextOptions): CommandContext {
	let connection: Promise<Connection> | undefined;
	return {
		async engine({start = true} = {}): Promise<Engine> {
			connection ??= connect({start});
			return (await connection).engine;
		},
		async closeEngine() {
			const open = connection;
			connection = undefined;
			const found = await open?.catch(() => undefined);
			await found?.engine.close();
		},
		stdout: output(process.stdout),
		stderr: output(process.stderr),
		stdin: input(),
		env: process.env,
		cwd: process.cwd(),
		user: userName(),
		run: runProgram,
		async runDirect(direct, options) {
			const {runDirect} = await import('../drivers/lxd/session.ts');
			const {stdin, stdout, stderr} = process;
			return runDirect(direct, {...options, stdin, stdout, stderr});
		},
		async files(access) {
			if (access.kind === 'ssh') return (await import('../guest/sftp/files.ts')).sftpFiles(access.ssh);
			const {pullPath, pushPath} = await import('../drivers/lxd/files.ts');
			return {
				push: (source, target, options) => pushPath(access.direct, source, target, options),
				pull: (source, target, options) => pullPath(access.direct, source, target, options),
				close: async () => {},
			};
		},
		aliases,
		pipes: {stdin: () => process.stdin, stdout: () => process.stdout},
		onInterrupt(listener) {
			process.on('SIGINT', listener);
			return () => process.off('SIGINT', listener);
		},
		keys,
	};
}

function output(stream: NodeJS.WriteStream): Output {
	return {
		write: text => stream.write(text),
		get isTTY() {
			return stream.isTTY === true;
		},
		get columns() {
			return stream.columns;
		},
	};
}

/** `process.stdin` is touched only by those who read it: making it costs a fifth of bare Node's start. */
function input(): Input {
	return {
		get isTTY() {
			return isatty(0);
		},
		async read(limit) {
			const chunks: Buffer[] = [];
			let length = 0;
			for await (const chunk of process.stdin) {
				length += (chunk as Buffer).length;
				if (length > limit) throw usageError(`What comes on stdin is longer than ${limit / 2 ** 20} MiB.`);
				chunks.push(chunk as Buffer);
			}
			return Buffer.concat(chunks).toString('utf8');
		},
		async readLine() {
			const {createInterface} = await import('node:readline');
			const reader = createInterface({input: process.stdin});
			try {
				for await (const line of reader) return line;
				return undefined;
			} finally {
				reader.close();
			}
		},
	};
}

const passedOn = ['SIGTERM', 'SIGHUP'] as const;

async function runProgram(program: string, argv: readonly string[]): Promise<number> {
	const {spawn} = await import('node:child_process');
	const file = await spawnable(program);
	// The terminal sends Ctrl-C and Ctrl-\ to both of us; the one it is meant for decides. From before it runs.
	const ignore = () => {};
	process.on('SIGINT', ignore).on('SIGQUIT', ignore);
	const child = spawn(file, argv, {stdio: 'inherit'});
	const pass = (signal: NodeJS.Signals) =>
		void child.kill(signal === 'SIGHUP' ? hangUp(thisSystem().platform) : signal);
	for (const signal of passedOn) process.on(signal, pass);
	try {
		return await new Promise<number>((resolve, reject) => {
			child.once('error', reject);
			child.once('exit', (code, signal) => {
				resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
			});
		});
	} finally {
		process.off('SIGINT', ignore).off('SIGQUIT', ignore);
		for (const signal of passedOn) process.off(signal, pass);
	}
}
