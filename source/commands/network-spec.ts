import {usageError} from './parse.ts';

/**
 * Checks `--network`: a network's name, or `name=ID[,mode=auto|manual][,mac=xx:xx:xx:xx:xx:xx]`.
 * @throws DroverError `usage.invalid`
 */
export function checkNetworkSpec(spec: string): void {
	if (spec === '') throw usageError('Bad network definition, need at least a name.');
	if (!spec.includes('=')) {
		if (spec.includes(',')) throw usageError('Bad network field definition, need key=value.');
		return;
	}
	let hasName = false;
	for (const field of spec.split(',')) {
		const match = /^([^=]+)=([^=]+)$/.exec(field);
		if (!match) throw usageError('Bad network field definition, need key=value.');
		const [, key, value] = match;
		switch (key!.toLowerCase()) {
			case 'name':
				hasName = true;
				break;
			case 'mode':
				if (!/^(?:auto|manual)$/i.test(value!)) {
					throw usageError(`Bad network mode ${JSON.stringify(value)}, need 'auto' or 'manual'.`);
				}
				break;
			case 'mac':
				if (!/^[\da-f]{2}(?::[\da-f]{2}){5}$/i.test(value!)) {
					throw usageError(`Invalid MAC address: ${JSON.stringify(value)}.`);
				}
				break;
			default:
				throw usageError(`Bad network field: ${JSON.stringify(key)}.`, 'The fields are name, mode and mac.');
		}
	}
	if (!hasName) throw usageError('Bad network definition, need at least a name.');
}
