import type {Driver} from '../drivers/driver.ts';
import type {DriverName} from '../model/driver-name.ts';

type Load = (name: DriverName) => Promise<Driver | undefined>;

/**
 * One object for each driver, for as long as the engine lives: what it found out of its hypervisor, and its connections,
 * serve whoever asks. `undefined`: this version does not have the driver.
 */
export class DriverPool {
	readonly #load: Load;
	readonly #drivers = new Map<DriverName, Promise<Driver | undefined>>();

	constructor(load: Load) {
		this.#load = load;
	}

	get(name: DriverName): Promise<Driver | undefined> {
		const known = this.#drivers.get(name);
		if (known) return known;
		const loading = this.#load(name);
		this.#drivers.set(name, loading);
		// One that could not be loaded is tried again by the next who asks.
		loading.catch(() => this.#drivers.delete(name));
		return loading;
	}

	async close(): Promise<void> {
		const drivers = await Promise.all([...this.#drivers.values()].map(driver => driver.catch(() => undefined)));
		for (const driver of drivers) driver?.close?.();
	}
}
