import type {DriverPrivateNetwork} from '../driver.ts';
import {filesOf} from './files.ts';
import type {QemuHostProbe} from './host.ts';
import {hasStream} from './private-nic.ts';

/** The part of QEMU's machines in the private network of their scope. */
export function machinePrivateNetwork(host: QemuHostProbe): DriverPrivateNetwork {
	return {
		async problem() {
			const {version} = await host.health();
			if (version === undefined || hasStream(version)) return undefined;
			return `QEMU ${version} cannot carry it, 7.2 is needed`;
		},
		socket: place => filesOf(place).network,
	};
}
