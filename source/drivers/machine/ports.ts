import {createServer} from 'node:net';

/** Loopback ports for reaching guests, given out so that two starts at the same time do not choose the same one. */
export class Ports {
	readonly #taken = new Set<number>();

	/**
	 * A port on 127.0.0.1 that nobody listens on right now: the preferred one if that is so, else one the kernel chooses.
	 * Somebody may still take it before QEMU does, so whoever uses it must be ready to ask again.
	 */
	async reserve(preferred?: number): Promise<{port: number; release(): void}> {
		for (let attempt = 0; ; attempt++) {
			const wanted = attempt === 0 ? (preferred ?? 0) : 0;
			if (wanted !== 0 && this.#taken.has(wanted)) continue;
			const port = await tryPort(wanted);
			if (port === undefined || this.#taken.has(port)) {
				if (attempt > 50) throw new Error('no free port on 127.0.0.1');
				continue;
			}
			this.#taken.add(port);
			return {port, release: () => void this.#taken.delete(port)};
		}
	}
}

function tryPort(port: number): Promise<number | undefined> {
	return new Promise(resolve => {
		const server = createServer();
		server.once('error', () => resolve(undefined));
		server.listen({host: '127.0.0.1', port, exclusive: true}, () => {
			const address = server.address();
			server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
		});
	});
}
