import {execFile} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {connect} from '../../source/protocol/connect.ts';
import {locate, type Paths} from '../../source/state/paths.ts';
import {until} from './engine.ts';
import {copyByLink, imageCache, microImage} from './micro-image.ts';

export type Answer = {readonly code: number; readonly stdout: string; readonly stderr: string};

const program = fileURLToPath(new URL('../../dist/drover.js', import.meta.url));

/**
 * The built program as a user has it, with a home of its own in which the micro image is already cached. Everything it
 * started is stopped, by pid, when it is disposed of.
 */
export class Program {
	readonly home: string;
	readonly paths: Paths;
	readonly file = program;
	/** Further variables that it is given. */
	readonly more: NodeJS.ProcessEnv = {};

	private constructor(home: string) {
		this.home = home;
		this.paths = locate({DROVER_HOME: home}, process.platform);
	}

	static async open({withImage = true} = {}): Promise<Program> {
		if (!existsSync(program)) throw new Error('dist/drover.js is missing: run npm run build');
		const opened = new Program(mkdtempSync(path.join(tmpdir(), 'drover-e2e-')));
		if (withImage) {
			await microImage();
			copyByLink(path.join(imageCache, 'images'), path.join(opened.paths.cache, 'images'));
		}
		return opened;
	}

	get env(): NodeJS.ProcessEnv {
		const {PATH, HOME, LANG} = process.env;
		return {PATH, HOME, LANG, DROVER_HOME: this.home, ...this.more};
	}

	/** Runs `drover ARGS` to its end. */
	run(...args: readonly string[]): Promise<Answer> {
		return new Promise(resolve => {
			const child = execFile(
				process.execPath,
				[program, ...args],
				{env: this.env, timeout: 1_200_000},
				(error, stdout, stderr) => {
					resolve({code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr});
				},
			);
			child.stdin?.end();
		});
	}

	/** Runs it and demands success. @returns what it printed */
	async ok(...args: readonly string[]): Promise<string> {
		const {code, stdout, stderr} = await this.run(...args);
		if (code !== 0) throw new Error(`drover ${args.join(' ')} exited ${code}: ${stderr || stdout}`);
		return stdout;
	}

	/** Name -> state, from `drover list --format json`. */
	async states(): Promise<Record<string, string>> {
		const {list} = JSON.parse(await this.ok('list', '--format', 'json')) as {
			list: Array<{name: string; state: string}>;
		};
		return Object.fromEntries(list.map(({name, state}) => [name, state]));
	}

	async bootId(name: string): Promise<string> {
		return (await this.ok('exec', name, '--', 'cat', '/proc/sys/kernel/random/boot_id')).trim();
	}

	/** The daemon's pid, or `undefined` when none runs. */
	async daemonPid(): Promise<number | undefined> {
		try {
			const {engine} = await connect(this.paths, {start: false});
			const {daemon} = await engine.overview();
			await engine.close();
			return daemon.pid;
		} catch {
			return undefined;
		}
	}

	/** Pids of processes with this home in their command line: its QEMUs. */
	machines(): number[] {
		return readdirSync('/proc')
			.filter(name => /^\d+$/.test(name))
			.map(Number)
			.filter(pid => {
				try {
					const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
					return /^[^\0]*qemu-system-[^\0]*\0/.test(line) && line.includes(this.home);
				} catch {
					return false;
				}
			});
	}

	async close(): Promise<void> {
		const daemon = await this.daemonPid();
		if (daemon !== undefined) process.kill(daemon, 'SIGKILL');
		for (const pid of this.machines()) process.kill(pid, 'SIGKILL');
		await until(
			() => this.machines(),
			pids => pids.length === 0,
		);
		rmSync(this.home, {recursive: true, force: true});
	}
}
