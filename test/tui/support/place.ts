import {chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {serve} from '../../../source/protocol/server.ts';
import {locate, makePrivate} from '../../../source/state/paths.ts';
import {FakeEngine, fakeInstance} from '../../support/fake-engine.ts';
import {Terminal} from './terminal.ts';

const program = fileURLToPath(new URL('../../../dist/drover.js', import.meta.url));

/** Instances whose ids are what the protocol demands. */
export function machines(count: number): ReturnType<typeof fakeInstance>[] {
	return Array.from({length: count}, (_, index) =>
		fakeInstance(`vm-${String(index + 1).padStart(2, '0')}`, 'Running', {
			id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
		}),
	);
}

/** A home of its own, in which an engine of memory answers on the daemon's socket, and the built program on a pty. */
export class Place implements AsyncDisposable {
	readonly home: string;
	readonly engine: FakeEngine;
	readonly #close: () => Promise<void>;

	private constructor(home: string, engine: FakeEngine, close: () => Promise<void>) {
		this.home = home;
		this.engine = engine;
		this.#close = close;
	}

	static async open(count = 12): Promise<Place> {
		if (!existsSync(program)) throw new Error('dist/drover.js is missing: run npm run build');
		const home = mkdtempSync(path.join(tmpdir(), 'drover-tui-'));
		const paths = locate({DROVER_HOME: home}, process.platform);
		for (const directory of [paths.data, paths.runtime]) makePrivate(directory);
		const engine = new FakeEngine({instances: machines(count)});
		const server = await serve(engine, paths.socket, {user: userInfo().username, handover: () => false, log() {}});
		return new Place(home, engine, () => server.close());
	}

	get env(): NodeJS.ProcessEnv {
		return {DROVER_HOME: this.home};
	}

	/** The dashboard itself as the terminal's only program. */
	async dashboard(options: {columns?: number; rows?: number; env?: NodeJS.ProcessEnv} = {}): Promise<Terminal> {
		const terminal = new Terminal(process.execPath, [program], {...options, env: {...this.env, ...options.env}});
		await terminal.waitFor('> vm-01');
		return terminal;
	}

	/** The dashboard as a person starts it: by an interactive shell, which sees the terminal before and after. */
	async underShell(prelude = '', command = program): Promise<{terminal: Terminal; pid: number}> {
		// The shell itself asks for bracketed paste at its prompt, which would hide whether the program took its own back.
		const INPUTRC = path.join(this.home, 'inputrc');
		writeFileSync(INPUTRC, 'set enable-bracketed-paste off\n');
		const env = {...this.env, PS1: 'shell> ', INPUTRC};
		const terminal = new Terminal('bash', ['--norc', '--noprofile', '-i'], {env});
		await terminal.waitFor('shell>');
		const script = path.join(this.home, 'start');
		writeFileSync(script, `#!/bin/bash\n${prelude}\necho $$ >${this.home}/pid\nexec ${process.execPath} ${command}\n`);
		chmodSync(script, 0o700);
		terminal.type(`cd ${this.home}; stty -g >before; ./start; echo rc=$?; stty -g >after\r`);
		await terminal.waitFor('> vm-01');
		return {terminal, pid: Number(readFileSync(path.join(this.home, 'pid'), 'utf8'))};
	}

	/** The exit code, and in what the shell did not find its terminal as it was. */
	async aftermath(terminal: Terminal, {wasStopped = false} = {}): Promise<{code: number; wrong: string[]}> {
		if (wasStopped) {
			// A shell forgets the rest of the line when a program of it is stopped.
			await terminal.waitFor(text => !terminal.isAlternate && text.trimEnd().endsWith('shell>'));
			terminal.type('r=$?; clear; echo rc=$r; stty -g >after\r');
			await terminal.waitFor(text => /rc=\d+/.test(text) && !text.includes('echo'));
		}
		await terminal.waitFor(/rc=\d+/);
		const after = path.join(this.home, 'after');
		for (let wait = 0; wait < 200 && !(existsSync(after) && readFileSync(after, 'utf8') !== ''); wait++)
			await sleep(20);
		await terminal.quiet(100);
		const isSame = readFileSync(path.join(this.home, 'before'), 'utf8') === readFileSync(after, 'utf8');
		return {
			code: Number(/rc=(\d+)/.exec(terminal.text())?.[1]),
			wrong: [
				...(isSame ? [] : ['stty']),
				...(terminal.isAlternate ? ['alternate screen'] : []),
				...(terminal.isCursorHidden ? ['hidden cursor'] : []),
				...(terminal.isPasteBracketed ? ['bracketed paste'] : []),
			],
		};
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#close();
		rmSync(this.home, {recursive: true, force: true});
	}
}

/** Waits until a process is no more, and says how long that took, milliseconds. */
export async function untilGone(pid: number, timeoutMs = 10_000): Promise<number> {
	const began = performance.now();
	while (performance.now() - began < timeoutMs) {
		try {
			process.kill(pid, 0);
			// A child that nobody has asked about yet is still listed, but does nothing any more.
			if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return performance.now() - began;
		} catch {
			return performance.now() - began;
		}
		await sleep(10);
	}
	throw new Error(`process ${pid} is still there after ${timeoutMs} ms`);
}
