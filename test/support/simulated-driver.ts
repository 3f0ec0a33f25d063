import {mkdir, rename, rm, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {Driver, DriverEvent, DriverHealth, InstancePlace} from '../../source/drivers/driver.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {InstanceRecord, Observation, SuspendStamp} from '../../source/model/instance.ts';
import {diskOf, type OptionalMethod, SimulatedParts, type SnapshotMethod} from './simulated-parts.ts';

type Machine = {power: 'running' | 'paused'; bootId: string; listeners: Set<(event: DriverEvent) => void>};
type Method =
	| OptionalMethod
	| SnapshotMethod
	| 'create'
	| 'start'
	| 'stop'
	| 'powerOff'
	| 'reboot'
	| 'suspend'
	| 'destroy'
	| 'awake'
	| 'guestFacts';

/**
 * A hypervisor in memory that outlives engines, as real ones do. `before` lets a test fail, delay or hang a step;
 * a step that is aborted while it hangs throws as a real driver would.
 */
export class SimulatedHypervisor {
	readonly machines = new Map<string, Machine>();
	readonly calls: string[] = [];
	readonly before = new Map<Method, (record: InstanceRecord) => void | Promise<void>>();
	/** The names of machines, as their command lines tell. */
	readonly names = new Map<string, string>();
	/** Ids whose hypervisor process does not answer. */
	readonly unresponsive = new Set<string>();
	readonly parts = new SimulatedParts();
	/** The optional methods that a driver of it has, by the driver's name; none until a test asks for them. */
	readonly offers = new Map<DriverName, readonly OptionalMethod[]>();
	/** Why instances cannot be on the private network; `null`: the driver has none. */
	networkProblem: string | undefined | null = null;
	/** Where a guest's SSH server is; `undefined`: it has no address (yet). */
	sshOf: (record: InstanceRecord) => {host: string; port: number} | undefined = () => ({
		host: '127.0.0.1',
		port: 22_000,
	});
	health: DriverHealth = {
		installed: true,
		usable: true,
		version: '1.0',
		accelerator: 'tcg',
		summary: 'simulated',
		checkedAt: 0,
	};
	/** Awaited before each step: where a test ends the life of the daemon that asks. */
	onStep: () => Promise<void> = async () => {};
	#boots = 0;

	/** The guest powers itself off, or its process is killed. */
	vanish(id: string, what = 'the guest powered off') {
		const machine = this.machines.get(id);
		this.machines.delete(id);
		for (const listener of machine?.listeners ?? []) listener({id, what});
	}

	bootIdOf(id: string): string | undefined {
		return this.machines.get(id)?.bootId;
	}

	boot(id: string, bootId = `boot-${++this.#boots}`) {
		this.machines.set(id, {power: 'running', bootId, listeners: new Set()});
	}

	driver(name: DriverName = 'qemu'): Driver {
		const step = async (method: Method, record: InstanceRecord, work?: {readonly signal: AbortSignal}) => {
			await this.onStep();
			this.calls.push(`${method} ${record.name}`);
			this.names.set(record.id, record.name);
			const hook = this.before.get(method)?.(record);
			if (hook === undefined) return;
			await (work === undefined ? hook : Promise.race([hook, aborted(work.signal)]));
			work?.signal.throwIfAborted();
		};
		const state = (place: InstancePlace) => path.join(place.directory, 'state');
		const all = this.parts.methods(step, () => this.onStep());
		const offered = this.offers.get(name) ?? [];
		return {
			...Object.fromEntries(offered.map(method => [method, all[method]])),
			...(offered.includes('resize') ? {resizesLive: this.parts.resizesLive} : {}),
			...(this.networkProblem === null
				? {}
				: {
						privateNetwork: {
							problem: async () => this.networkProblem ?? undefined,
							socket: (place: InstancePlace) => path.join(place.sockets, 'net.sock'),
						},
					}),
			name,
			health: async () => this.health,
			create: async (record, place, input, work) => {
				await step('create', record, work);
				await mkdir(place.directory, {recursive: true});
				// What is brought from elsewhere is the disk itself.
				if (input.isOwn) {
					await rename(input.imagePath, diskOf(place));
					await writeFile(path.join(place.directory, 'seed'), JSON.stringify(input.seed));
				} else await writeFile(diskOf(place), input.seed['meta-data'] ?? '');
			},
			start: async (record, place, work) => {
				await step('start', record, work);
				if (this.machines.has(record.id)) return;
				if (record.suspended) {
					this.boot(record.id, record.suspended.devices);
					await work.update({suspended: undefined});
					await rm(state(place), {force: true});
				} else {
					this.boot(record.id);
				}
			},
			awake: async (record, _place, work) => step('awake', record, work),
			stop: async (record, _place, _options, work) => {
				await step('stop', record, work);
				this.machines.delete(record.id);
			},
			powerOff: async (record, place, work) => {
				await step('powerOff', record, work);
				this.machines.delete(record.id);
				await rm(state(place), {force: true});
				await work.update({suspended: undefined});
			},
			reboot: async (record, _place, work) => {
				await step('reboot', record, work);
				this.boot(record.id);
			},
			suspend: async (record, place, {by}, work) => {
				await step('suspend', record, work);
				const machine = this.machines.get(record.id);
				if (!machine) {
					if (record.suspended) return record.suspended;
					throw new DroverError('driver.failed', 'there is nothing to suspend');
				}
				const stamp: SuspendStamp = {
					driver: name,
					version: '1.0',
					machine: 'pc',
					accelerator: 'tcg',
					cpus: record.hardware.cpus,
					memory: record.hardware.memory,
					devices: machine.bootId,
					disk: {bytes: 1, modifiedMs: 1},
					size: 1,
					at: new Date().toISOString(),
					by,
				};
				await writeFile(state(place), machine.bootId);
				await work.update({suspended: stamp});
				this.machines.delete(record.id);
				return stamp;
			},
			destroy: async (record, _place, work) => {
				await step('destroy', record, work);
				this.machines.delete(record.id);
			},
			strangers: async known =>
				[...this.machines.keys()]
					.filter(id => !known.has(id))
					.map(id => ({id, name: this.names.get(id) ?? 'unnamed', pid: 4242})),
			endStranger: async ({id}) => this.machines.delete(id),
			observe: async record => this.#observe(record),
			inspect: async () => ({pid: 4242, accelerator: 'tcg'}),
			guestFacts: async record => {
				await step('guestFacts', record);
				return {release: 'Simulated 1', load: [0, 0, 0]};
			},
			watch: (record, _place, listener) => {
				const machine = this.machines.get(record.id);
				machine?.listeners.add(listener);
				return {close: () => void machine?.listeners.delete(listener)};
			},
		};
	}

	#observe(record: InstanceRecord): Observation {
		const machine = this.machines.get(record.id);
		const observedAt = Date.now();
		if (this.unresponsive.has(record.id)) {
			return {power: 'unresponsive', reason: 'the hypervisor does not answer', observedAt, ipv4: []};
		}
		if (machine) {
			const ssh = this.sshOf(record);
			return {power: machine.power, observedAt, ipv4: [], ...(ssh === undefined ? {} : {ssh})};
		}
		return {power: record.suspended ? 'suspended' : 'off', observedAt, ipv4: []};
	}
}

function aborted(signal: AbortSignal): Promise<never> {
	return new Promise((_, reject) => {
		if (signal.aborted) reject(signal.reason);
		signal.addEventListener('abort', () => reject(signal.reason), {once: true});
	});
}
