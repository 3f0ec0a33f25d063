import type {InstanceRecord} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import {sampleResult} from './messages.ts';
import type {Scripts} from './scripts.ts';

type Sample = {readonly at: number; readonly metrics: Metrics};

/** Who asks so soon after another is told the same: one question has all machines' numbers. Milliseconds. */
const freshMs = 400;
const timeoutMs = 950;

/**
 * What machines use, by the hypervisor's own counters. Memory is what Hyper-V calls the demand where it is told, which
 * needs a service in the guest; it is left out where it is not. What the disks read and write is counted by nobody cheaply.
 */
export class Samples {
	readonly #scripts: Scripts;
	readonly #owner: string;
	#current: {readonly since: number; readonly all: Promise<ReadonlyMap<string, Sample>>} | undefined;

	constructor(scripts: Scripts, owner: string) {
		this.#scripts = scripts;
		this.#owner = owner;
	}

	/** @throws HypervError */
	async of({id, hardware}: InstanceRecord): Promise<Metrics | undefined> {
		if (this.#current === undefined || performance.now() - this.#current.since > freshMs) {
			this.#current = {since: performance.now(), all: this.#ask()};
			const mine = this.#current;
			mine.all.catch(() => {
				if (this.#current === mine) this.#current = undefined;
			});
		}
		const found = (await this.#current.all).get(id);
		return found && {...found.metrics, memoryTotal: hardware.memory};
	}

	async #ask(): Promise<ReadonlyMap<string, Sample>> {
		const {samples} = await this.#scripts.look(sampleResult, 'sample', {owner: this.#owner}, {timeoutMs});
		const at = Date.now();
		return new Map(
			samples.map(({machine, assigned, demand, processor, received, sent}) => [
				machine,
				{
					at,
					metrics: {
						at,
						...(processor === undefined ? {} : {cpuSeconds: processor}),
						...(demand > 0 ? {memoryUsed: Math.min(demand, assigned)} : {}),
						...(received === undefined ? {} : {received}),
						...(sent === undefined ? {} : {sent}),
					},
				},
			]),
		);
	}
}
