import {DroverError} from './errors.ts';
import type {Nic} from './network.ts';

/** A further interface as it was asked for; the MAC address is made up where none is given. */
export type NetworkSpec = {
	/** A network's name, or {@link bridgedWord}. */
	readonly network: string;
	readonly mode: Nic['mode'];
	/** Lower case. */
	readonly mac?: string;
};

/** Stands for the network that the setting `local.bridged-network` names. */
export const bridgedWord = 'bridged';

const bad = (message: string, next?: string) => new DroverError('usage.invalid', message, {next});

/**
 * Reads a network's name, or `name=ID[,mode=auto|manual][,mac=xx:xx:xx:xx:xx:xx]`. Rules: Multipass 1.16.
 * @throws DroverError `usage.invalid`
 */
export function parseNetworkSpec(spec: string): NetworkSpec {
	if (spec === '') throw bad('Bad network definition, need at least a name.');
	if (!spec.includes('=')) {
		if (spec.includes(',')) throw bad('Bad network field definition, need key=value.');
		return {network: spec, mode: 'auto'};
	}
	let network: string | undefined;
	let mode: Nic['mode'] = 'auto';
	let mac: string | undefined;
	for (const field of spec.split(',')) {
		const match = /^([^=]+)=([^=]+)$/.exec(field);
		if (!match) throw bad('Bad network field definition, need key=value.');
		const [, key, value] = match as unknown as [string, string, string];
		switch (key.toLowerCase()) {
			case 'name':
				network = value;
				break;
			case 'mode': {
				const lower = value.toLowerCase();
				if (lower !== 'auto' && lower !== 'manual') {
					throw bad(`Bad network mode ${JSON.stringify(value)}, need 'auto' or 'manual'.`);
				}
				mode = lower;
				break;
			}
			case 'mac':
				if (!/^[\da-f]{2}(?::[\da-f]{2}){5}$/i.test(value)) throw bad(`Invalid MAC address: ${JSON.stringify(value)}.`);
				mac = value.toLowerCase();
				break;
			default:
				throw bad(`Bad network field: ${JSON.stringify(key)}.`, 'The fields are name, mode and mac.');
		}
	}
	if (network === undefined) throw bad('Bad network definition, need at least a name.');
	return {network, mode, ...(mac === undefined ? {} : {mac})};
}
