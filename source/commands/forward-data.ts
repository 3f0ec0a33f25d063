import type {Forward} from '../model/forward.ts';

/** A forward as JSON and YAML have it. */
export function forwardData({address, host, guest, protocol}: Forward) {
	return {address, host_port: host, instance_port: guest, protocol};
}
