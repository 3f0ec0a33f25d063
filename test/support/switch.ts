import {AsyncLocalStorage} from 'node:async_hooks';
import {createEngine} from '../../source/engine/create-engine.ts';
import type {LocalEngine} from '../../source/engine/local-engine.ts';
import type {Workshop} from '../../source/engine/workshop.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import type {Paths} from '../../source/state/paths.ts';
import {initialized, simulatedImages} from './engine.ts';
import {noNetwork} from './no-network.ts';
import {SimulatedHypervisor} from './simulated-driver.ts';

/** A life of the daemon: everything that happens in it stands still once it is over, as after kill -9. */
export type Life = {isOver: boolean /** Steps left until it is over. */; stepsLeft: number};

const lives = new AsyncLocalStorage<Life>();

/** Called at each step that leaves a trace (a file written, a hypervisor asked): the life may end here, before or after it. */
export async function step(): Promise<void> {
	const life = lives.getStore();
	if (life === undefined) return;
	if (!life.isOver && life.stepsLeft-- <= 0) life.isOver = true;
	if (life.isOver) await new Promise(() => {});
}

/** Three hypervisors on one host: `qemu` and `libvirt` share a scope and each other's memory images, `lxd` is apart. */
export class World {
	readonly shared = new SimulatedHypervisor();
	readonly lxd = new SimulatedHypervisor();
	readonly paths: Paths;
	readonly #workshop: Partial<Workshop>;

	constructor(paths: Paths, workshop: Partial<Workshop> = {}) {
		this.paths = paths;
		this.#workshop = workshop;
		this.shared.onStep = step;
		this.lxd.onStep = step;
	}

	hypervisor(driver: DriverName): SimulatedHypervisor {
		return driver === 'lxd' ? this.lxd : this.shared;
	}

	/** Starts a daemon's engine. `steps`: after how many traces it is killed. */
	async live(steps = Number.POSITIVE_INFINITY, bootId = 'boot-1'): Promise<{engine: LocalEngine; life: Life}> {
		const life: Life = {isOver: false, stepsLeft: steps};
		const engine = await lives.run(life, () =>
			createEngine(this.paths, {
				loadDriver: async name =>
					['qemu', 'libvirt', 'lxd'].includes(name) ? this.hypervisor(name).driver(name) : undefined,
				images: simulatedImages(this.paths),
				host: {platform: 'linux', architecture: 'x64'},
				version: 'test',
				lookEveryMs: 60_000,
				openNetwork: noNetwork,
				bootId,
				workshop: {
					waitForAnswer: async () => 'SSH-2.0-simulated',
					tryAnswer: async () => 'SSH-2.0-simulated',
					followInit: initialized,
					...this.#workshop,
				},
			}),
		);
		return {engine, life};
	}

	/** Runs something in a daemon's life, so that it stands still when the life is over. */
	within<Result>(life: Life, run: () => Promise<Result>): Promise<Result> {
		return lives.run(life, run);
	}
}
