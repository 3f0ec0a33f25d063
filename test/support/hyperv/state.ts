import {createHash, randomUUID} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';

/** A switch as the stand-in has it. */
export type Switch = {readonly id: string; readonly name: string; readonly type: string; readonly adapter: string};

/** A virtual machine as the stand-in keeps it: one file each, so that several scripts can work at once. */
export type Machine = {
	vm: string;
	name: string;
	notes: string;
	place: string;
	disk: string;
	seed: string;
	cpus: number;
	memory: number;
	secureBoot: boolean;
	nics: Array<{mac: string; switch: string}>;
	checkpoints: Array<{tag: string; file: string}>;
	/** The process that is the running machine. */
	pid?: number;
	startedAt?: number;
	/** A state that somebody else brought it to, with Hyper-V's own window: `Saved`, `Paused`, `OffCritical`. */
	state?: string;
};

/** What is to go wrong with a request; `times` of them. */
export type Fault = {
	readonly op: string;
	times: number;
	/**
	 * `crash`: the script ends before it does anything; `crash-after`: when it has done it and told nobody;
	 * `crash-between`: in the middle of it; `silent`: it never answers; `noise`: it prints other things around its answer.
	 */
	readonly kind: 'crash' | 'crash-after' | 'crash-between' | 'delay' | 'silent' | 'noise' | 'error' | 'nonsense';
	readonly ms?: number;
	readonly error?: {readonly id: string; readonly category: string; readonly hresult: number; readonly message: string};
};

/** How the stand-in behaves as a whole. */
export type Behaviour = {
	readonly encoding?: 'utf-8' | 'utf-16le';
	readonly hasBom?: boolean;
	readonly hasCrlf?: boolean;
	/** Printed before anything else, as profiles and policies do. */
	readonly banner?: string;
	/** It ends with this on its standard error before it says what it is. */
	readonly refusal?: string;
	readonly startDelayMs?: number;
	readonly hasEvents?: boolean;
	/** Guests are only processes that end when they are asked, or do not hear it; or they are real. */
	readonly guests?: 'simulated' | 'deaf' | 'qemu';
	/** Addresses are told by the guest, seen by the host, or neither. */
	readonly addresses?: 'told' | 'none';
	readonly health?: Readonly<Record<string, unknown>>;
	readonly memoryLimit?: number;
	readonly protocol?: number;
};

export const defaultSwitch = 'c08cb7b8-9b3c-408e-8e30-5e16a3aeb444';

/** What the stand-in remembers, in a directory. */
export class State {
	readonly directory: string;

	constructor(directory: string) {
		this.directory = directory;
		mkdirSync(path.join(directory, 'machines'), {recursive: true});
	}

	get behaviour(): Behaviour {
		return this.#read<Behaviour>('behaviour.json') ?? {};
	}

	set behaviour(value: Behaviour) {
		this.#write('behaviour.json', value);
	}

	get switches(): readonly Switch[] {
		return (
			this.#read<Switch[]>('switches.json') ?? [
				{id: defaultSwitch, name: 'Default Switch', type: 'Internal', adapter: ''},
				{id: randomUUID(), name: 'House', type: 'External', adapter: 'Intel(R) Ethernet'},
				{id: randomUUID(), name: 'Lab', type: 'Private', adapter: ''},
			]
		);
	}

	set switches(value: readonly Switch[]) {
		this.#write('switches.json', value);
	}

	/** Scripts that were started. */
	get starts(): number {
		return this.#read<number>('starts.json') ?? 0;
	}

	countStart(): void {
		this.#locked('starts', () => this.#write('starts.json', this.starts + 1));
	}

	/** Requests in the order they came, `list`, `create` ... */
	get requests(): readonly string[] {
		return (this.#text('requests.log') ?? '').split('\n').filter(Boolean);
	}

	countRequest(op: string): void {
		writeFileSync(path.join(this.directory, 'requests.log'), `${op}\n`, {flag: 'a'});
	}

	get faults(): readonly Fault[] {
		return this.#read<Fault[]>('faults.json') ?? [];
	}

	set faults(value: readonly Fault[]) {
		this.#write('faults.json', value);
	}

	/** The fault that a request meets, if any; it is used up. */
	takeFault(op: string): Fault | undefined {
		return this.#locked('faults', () => {
			const faults = [...this.faults];
			const found = faults.find(fault => fault.op === op && fault.times > 0);
			if (!found) return undefined;
			found.times--;
			this.faults = faults;
			return found;
		});
	}

	machines(): Machine[] {
		return readdirSync(path.join(this.directory, 'machines'))
			.filter(name => name.endsWith('.json'))
			.flatMap(name => this.#read<Machine>(path.join('machines', name)) ?? []);
	}

	put(machine: Machine): void {
		this.#write(path.join('machines', `${machine.vm}.json`), machine);
	}

	/** Changes a machine, while nobody else does. */
	change(vm: string, change: (machine: Machine) => void): void {
		this.#locked(vm, () => {
			const found = this.#read<Machine>(path.join('machines', `${vm}.json`));
			if (!found) return;
			change(found);
			this.put(found);
		});
	}

	drop(vm: string): void {
		rmSync(path.join(this.directory, 'machines', `${vm}.json`), {force: true});
	}

	/** One of several scripts at a time does something with a machine. */
	#locked<Result>(name: string, act: () => Result): Result {
		const lock = path.join(this.directory, `${name}.lock`);
		for (const deadline = Date.now() + 20_000; ; ) {
			try {
				mkdirSync(lock);
				break;
			} catch {
				// What a crash left is old.
				const age = Date.now() - (statSync(lock, {throwIfNoEntry: false})?.mtimeMs ?? Date.now());
				if (age > 5000 || Date.now() > deadline) rmSync(lock, {recursive: true, force: true});
				Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
			}
		}
		try {
			return act();
		} finally {
			rmSync(lock, {recursive: true, force: true});
		}
	}

	#text(name: string): string | undefined {
		try {
			return readFileSync(path.join(this.directory, name), 'utf8');
		} catch {
			return undefined;
		}
	}

	#read<Value>(name: string): Value | undefined {
		const text = this.#text(name);
		return text === undefined ? undefined : (JSON.parse(text) as Value);
	}

	#write(name: string, value: unknown): void {
		const file = path.join(this.directory, name);
		const aside = `${file}.${process.pid}.tmp`;
		writeFileSync(aside, JSON.stringify(value));
		renameSync(aside, file);
	}
}

/** An address of this host alone that belongs to a MAC address: where the guest's SSH server is reached. */
export function addressOf(mac: string): string {
	const [a = 1, b = 1, c = 1] = createHash('sha256').update(mac).digest();
	return `127.${(a % 250) + 2}.${b}.${(c % 250) + 2}`;
}

/** Whether a process is there and is the machine it is said to be. */
export function isAlive(machine: Machine): boolean {
	if (machine.pid === undefined) return false;
	try {
		const line = readFileSync(`/proc/${machine.pid}/cmdline`, 'utf8');
		const state = /\) ([A-Z])/.exec(readFileSync(`/proc/${machine.pid}/stat`, 'utf8'))?.[1];
		return line.includes(machine.vm) && state !== 'Z';
	} catch {
		return false;
	}
}

export function stateOf(machine: Machine): string {
	if (machine.state !== undefined) return machine.state;
	return isAlive(machine) ? 'Running' : 'Off';
}
