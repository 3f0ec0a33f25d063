import {type InstanceState, isUp} from './state.ts';
import type {Decision} from './transitions.ts';

export type SnapshotAction = 'snapshot' | 'restore' | 'delete-snapshots' | 'clone';

const go: Decision = {kind: 'do'};
const refuse = (reason: string, next: string): Decision => ({kind: 'refuse', reason, next});

/**
 * Whether something can be done with an instance's disk, given its state. Saved memory belongs to the disk as it is: who
 * changed as much as a byte of its file would make the memory useless, and so nothing is done to a suspended one.
 * @param isLive whether the driver can do it while the guest runs
 */
export function decideSnapshot(action: SnapshotAction, state: InstanceState, isLive = false): Decision {
	switch (state) {
		case 'Stopped':
			return go;
		case 'Running':
		case 'Delayed Shutdown':
			if (isUp(state) && isLive && (action === 'snapshot' || action === 'delete-snapshots')) return go;
			return refuse('only while it is stopped', 'Stop it first.');
		case 'Suspended':
			return refuse(
				action === 'clone'
					? 'it is suspended, and its memory cannot be cloned'
					: 'it is suspended, and its saved memory belongs to the disk as it is now',
				'Start it first.',
			);
		case 'Deleted':
			return refuse('it is deleted', 'Recover it first.');
		case 'Broken':
			return refuse('its record or its files cannot be used', 'info shows the reason and where they are.');
		case 'Unknown':
			return refuse('it is in an unknown state', 'Stop it first.');
		default:
			return refuse(`not while it is ${state}`, 'Wait a moment.');
	}
}
