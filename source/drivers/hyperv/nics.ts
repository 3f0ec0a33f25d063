import {DroverError} from '../../model/errors.ts';
import type {HostNetwork, Nic} from '../../model/network.ts';
import {hypervMac, type Job} from './context.ts';
import {HypervError} from './errors.ts';
import {networksResult, stateResult} from './messages.ts';
import type {Scripts} from './scripts.ts';

const timeoutMs = 60_000;

/**
 * Switches of Hyper-V's, but for the Default Switch, which every instance is on. Network cards without a switch are not
 * among them: to make one cuts the host's own connection for a moment, which is for a person to decide.
 */
export async function hostNetworks(scripts: Scripts): Promise<HostNetwork[]> {
	const found = await scripts.look(networksResult, 'networks', {}, {timeoutMs});
	return found.switches.flatMap(({id, name, type, adapter}) =>
		name === '' || id.toLowerCase() === found.default.toLowerCase()
			? []
			: [{name, type: 'switch', description: descriptionOf(type, adapter)}],
	);
}

function descriptionOf(type: string, adapter: string): string {
	switch (type) {
		case 'External':
			return adapter === '' ? 'switch on a network card' : `switch on ${adapter}`;
		case 'Internal':
			return 'switch of the host and its machines';
		case 'Private':
			return 'switch of machines alone';
		default:
			return `switch (${type})`;
	}
}

/** Gives an instance that is off a further interface. One that is there already is no error. */
export async function addNic({scripts, mark, signal}: Job, nic: Nic): Promise<void> {
	const all = await scripts.look(networksResult, 'networks', {}, {timeoutMs, signal});
	const found = all.switches.find(({name}) => name === nic.network);
	if (found?.id.toLowerCase() === all.default.toLowerCase()) {
		throw new DroverError('instance.invalid', `Every instance is on ${found.name} already.`, {
			next: 'Choose another network: drover networks lists them.',
		});
	}
	try {
		const wanted = {switch: nic.network, mac: hypervMac(nic.mac)};
		await scripts.work(stateResult, 'add-nic', {...mark, nic: wanted}, {timeoutMs, signal});
	} catch (error) {
		if (error instanceof HypervError && error.id === 'drover.NotOff') {
			throw new DroverError('instance.state', 'The instance is not off, so it cannot be given a network.', {
				next: 'Stop it first.',
			});
		}
		throw error;
	}
}
