import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {cpSync, existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';

const replacement = process.env['DROVER_BENCH_PROGRAM'];
export const isReplaced = replacement !== undefined;
/** The built program; another file is measured with DROVER_BENCH_PROGRAM. */
export const program = replacement ?? fileURLToPath(new URL('../../dist/drover.js', import.meta.url));
/** What a user calls. */
export const launcher = fileURLToPath(new URL('../../bin/drover', import.meta.url));

export function checkProgram(): void {
	if (!existsSync(program)) throw new Error('dist/drover.js is missing: run npm run build');
}

/** A home of its own for one bench; what was started in it ends with it. */
export class Place implements AsyncDisposable {
	readonly home = mkdtempSync(path.join(tmpdir(), 'drover-bench-'));
	readonly #children: ChildProcess[] = [];
	readonly #more: NodeJS.ProcessEnv;

	/** @param more further variables for what runs in it */
	constructor(more: NodeJS.ProcessEnv = {}) {
		this.#more = more;
	}

	get env(): NodeJS.ProcessEnv {
		const {PATH, HOME} = process.env;
		return {
			PATH,
			HOME,
			DROVER_HOME: this.home,
			TERM: 'xterm-256color',
			COLORTERM: 'truecolor',
			LANG: 'C.UTF-8',
			...this.#more,
		};
	}

	/** A stand-in for the daemon, which knows this many running instances. @returns its pid */
	async serveFakes(count: number): Promise<number> {
		const script = fileURLToPath(new URL('fake-daemon.ts', import.meta.url));
		const child = spawn(process.execPath, [script, String(count)], {
			env: this.env,
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		this.#children.push(child);
		const ended = once(child, 'exit').then(() => {
			throw new Error('the stand-in for the daemon ended');
		});
		await Promise.race([once(child.stdout!, 'data'), ended]);
		ended.catch(() => {});
		return child.pid!;
	}

	/** A copy of the program: a build in the middle of a bench would have the daemon hand over to the new one. */
	copyProgram(): string {
		const directory = path.join(this.home, 'program');
		cpSync(path.dirname(program), directory, {recursive: true});
		writeFileSync(path.join(directory, 'package.json'), '{"type": "module"}\n');
		return path.join(directory, path.basename(program));
	}

	/** Puts the micro image into the cache, so that a launch is not its building. */
	async provideImage(): Promise<void> {
		const {copyByLink, imageCache, microImage} = await import('../support/micro-image.ts');
		await microImage();
		copyByLink(path.join(imageCache, 'images'), path.join(this.home, 'cache', 'images'));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const child of this.#children) {
			if (child.exitCode !== null || child.signalCode !== null) continue;
			child.kill('SIGKILL');
			await once(child, 'exit');
		}
		rmSync(this.home, {recursive: true, force: true});
	}
}
