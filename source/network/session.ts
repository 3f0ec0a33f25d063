import {type ChildProcess, spawn} from 'node:child_process';
import process from 'node:process';
import {createInterface} from 'node:readline';
import {type NetworkPlan, type PortReport, planVersion, readPortReport} from './plan.ts';

export type SessionInput = {
	/** What Node runs to become the process that serves a private network. */
	readonly program: readonly string[];
	readonly onReport: (report: PortReport) => void;
};

/** Milliseconds before a process that has ended by itself is started again. */
const pauses = {first: 100, longest: 30_000} as const;
/** One that has lived so long, in milliseconds, was a good one. */
const provenMs = 30_000;

/**
 * The process that serves a private network, while there is something to serve. One that ends by itself is started again:
 * machines reconnect by themselves, and their connections with each other only see some packets lost.
 */
export class NetworkSession {
	readonly #input: SessionInput;
	#plan: Omit<NetworkPlan, 'version'> = {ports: [], names: {}};
	#child: ChildProcess | undefined;
	#timer: NodeJS.Timeout | undefined;
	#pause: number = pauses.first;

	constructor(input: SessionInput) {
		this.#input = input;
	}

	/** Without machines there is no process. */
	follow(plan: Omit<NetworkPlan, 'version'>): void {
		this.#plan = plan;
		if (plan.ports.length === 0) this.close();
		else if (this.#child !== undefined) this.#tell();
		else if (this.#timer === undefined) this.#start();
	}

	/** Ends the process at once; machines go on without the network. */
	close(): void {
		this.#plan = {ports: [], names: {}};
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#child?.kill('SIGKILL');
		this.#child = undefined;
	}

	get pid(): number | undefined {
		return this.#child?.pid;
	}

	#start(): void {
		const {program, onReport} = this.#input;
		const began = performance.now();
		const child = spawn(process.execPath, [...program], {cwd: '/', stdio: ['pipe', 'pipe', 'ignore']});
		this.#child = child;
		child.stdin?.on('error', () => {});
		createInterface({input: child.stdout!}).on('line', line => {
			const report = this.#child === child ? readPortReport(line) : undefined;
			if (report !== undefined) onReport(report);
		});
		const ended = () => {
			if (this.#child !== child) return;
			this.#child = undefined;
			if (performance.now() - began > provenMs) this.#pause = pauses.first;
			for (const {id} of this.#plan.ports) onReport({id, isConnected: false});
			this.#timer = setTimeout(() => {
				this.#timer = undefined;
				this.#start();
			}, this.#pause);
			this.#timer.unref();
			this.#pause = Math.min(pauses.longest, this.#pause * 2);
		};
		child.once('error', ended);
		child.once('exit', ended);
		this.#tell();
	}

	#tell(): void {
		const plan: NetworkPlan = {version: planVersion, ...this.#plan};
		this.#child?.stdin?.write(`${JSON.stringify(plan)}\n`);
	}
}
