import {execFile} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import type {Engine} from '../../source/engine/engine.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import {DroverError} from '../../source/model/errors.ts';
import {connect} from '../../source/protocol/connect.ts';
import {locate} from '../../source/state/paths.ts';
import {isMachine} from './by-hand.ts';
import {Place} from './place.ts';
import {timeRun} from './process-facts.ts';

const execute = promisify(execFile);

/** A home with the real daemon and real machines; the daemon and every machine are ended with it. */
export class House implements AsyncDisposable {
	readonly place: Place;
	readonly engine: Engine;
	readonly daemonPid: number;
	readonly #program: string;

	private constructor(place: Place, program: string, engine: Engine, daemonPid: number) {
		this.place = place;
		this.#program = program;
		this.engine = engine;
		this.daemonPid = daemonPid;
	}

	/** @param more further variables for the daemon */
	static async open(more: NodeJS.ProcessEnv = {}): Promise<House> {
		const place = new Place(more);
		try {
			await place.provideImage();
			// As for a user: the first command starts the daemon.
			const program = place.copyProgram();
			await timeRun(process.execPath, [program, 'list'], place.env);
			const {engine} = await connect(locate({DROVER_HOME: place.home}), {start: false});
			const {daemon} = await engine.overview();
			return new House(place, program, engine, daemon.pid);
		} catch (error) {
			await place[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** @returns milliseconds that `list` takes from its start to its end */
	list(): Promise<number> {
		return timeRun(process.execPath, [this.#program, 'list'], this.place.env);
	}

	/** Runs a script in a guest. @returns what it says */
	async sh(name: string, script: string): Promise<string> {
		const {stdout} = await execute(process.execPath, [this.#program, 'exec', name, '--', 'sh', '-c', script], {
			env: this.place.env,
		});
		return stdout;
	}

	/** @returns milliseconds from asking to the end of the operation */
	async act(action: 'start' | 'suspend' | 'stop', names: readonly string[]): Promise<number> {
		const began = performance.now();
		const operation = await this.engine.act({action, names, by: 'bench'});
		await this.#end(operation.id);
		return performance.now() - began;
	}

	/** @returns milliseconds until all answer */
	async launch(names: readonly string[], memory: number): Promise<number> {
		const began = performance.now();
		const operations = await Promise.all(
			names.map(name => this.engine.launch({image: 'micro', name, memory, by: 'bench'})),
		);
		for (const {id} of operations) await this.#end(id);
		return performance.now() - began;
	}

	/** @returns milliseconds from asking to the end of the switch */
	async switchTo(to: DriverName): Promise<number> {
		const began = performance.now();
		const {id} = await this.engine.switchDriver({to, by: 'bench'});
		await this.#end(id);
		return performance.now() - began;
	}

	async #end(id: string): Promise<void> {
		const {error} = await this.engine.wait({id, timeoutSeconds: 900});
		if (error) throw DroverError.from(error);
	}

	/** Pids of QEMUs whose command line names this home. */
	machines(): number[] {
		return readdirSync('/proc')
			.filter(name => /^\d+$/.test(name))
			.map(Number)
			.filter(pid => {
				const line = commandLineOf(pid);
				return isMachine(line) && line.includes(this.place.home);
			});
	}

	endDaemon(): void {
		if (commandLineOf(this.daemonPid).includes(this.place.home)) process.kill(this.daemonPid, 'SIGKILL');
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.engine.close();
		this.endDaemon();
		for (const pid of this.machines()) process.kill(pid, 'SIGKILL');
		while (this.machines().length > 0) await sleep(20);
		await this.place[Symbol.asyncDispose]();
	}
}

function commandLineOf(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
	} catch {
		return '';
	}
}
