import type {CapabilityName} from '../drivers/capabilities.ts';
import {type DriverName, driverTitles} from '../model/driver-name.ts';
import type {InstanceView} from '../model/instance.ts';
import {isUp} from '../model/state.ts';
import {decide} from '../model/transitions.ts';
import type {DriverInfo} from './engine.ts';

/** What a person can want of an instance. The menu shows all of them, in this order. */
export const instanceActions = [
	'shell',
	'start',
	'stop',
	'restart',
	'suspend',
	'snapshot',
	'mounts',
	'networks',
	'edit',
	'duplicate',
	'delete',
	'recover',
	'purge',
] as const;
export type InstanceAction = (typeof instanceActions)[number];

/**
 * Whether something can be done, and if not, which kind of no:
 * `not-here`: the driver cannot (who can is told); `not-now`: the state does not allow it (what to do first is told);
 * `not-yet`: this version of drover does not do it.
 */
export type Availability =
	| {readonly can: true}
	| {
			readonly can: false;
			readonly kind: 'not-here' | 'not-now' | 'not-yet';
			readonly reason: string;
			readonly drivers?: readonly DriverName[];
			/** The action that would make it possible. */
			readonly first?: InstanceAction;
	  };

const needs: Partial<Record<InstanceAction, CapabilityName>> = {
	suspend: 'suspend',
	snapshot: 'snapshots',
	networks: 'extraNetworks',
};

const notYet: Partial<Record<InstanceAction, string>> = {
	snapshot: 'snapshots are not in this version of drover',
	mounts: 'mounts are not in this version of drover',
	networks: 'extra networks are not in this version of drover',
	edit: 'changing cpu, memory and disk is not in this version of drover',
	duplicate: 'cloning is not in this version of drover',
};

/** Asks the layers in order (driver's table, host, drover itself, the instance's state); the first no is the answer. */
export function availability(action: InstanceAction, instance: InstanceView, driver: DriverInfo): Availability {
	const capability = needs[action];
	if (capability !== undefined) {
		const answer = driver.capabilities[capability];
		if (answer.can === 'no') {
			return {can: false, kind: 'not-here', reason: answer.reason, drivers: answer.drivers};
		}
	}
	if (!driver.health.usable && action !== 'recover' && action !== 'delete') {
		return {
			can: false,
			kind: 'not-here',
			reason: `${driverTitles[driver.name]} cannot be used: ${driver.health.summary}`,
		};
	}
	const unbuilt = notYet[action];
	if (unbuilt !== undefined) return {can: false, kind: 'not-yet', reason: unbuilt};
	return now(action, instance);
}

function now(action: InstanceAction, instance: InstanceView): Availability {
	if (action === 'shell') {
		if (isUp(instance.state)) return {can: true};
		const first = instance.state === 'Stopped' || instance.state === 'Suspended' ? 'start' : undefined;
		return {
			can: false,
			kind: 'not-now',
			reason: first ? 'not running: start it first (s)' : `not while it is ${instance.state}`,
			...(first === undefined ? {} : {first}),
		};
	}
	const decision = decide(action as Parameters<typeof decide>[0], instance.state);
	switch (decision.kind) {
		case 'do':
			return {can: true};
		case 'nothing':
			return {can: false, kind: 'not-now', reason: decision.note};
		case 'join':
			return {can: false, kind: 'not-now', reason: 'already under way'};
		case 'refuse': {
			const first: InstanceAction | undefined =
				instance.state === 'Deleted' ? 'recover' : decision.next?.startsWith('Start it') ? 'start' : undefined;
			return {
				can: false,
				kind: 'not-now',
				reason: decision.next === undefined ? decision.reason : `${decision.reason}: ${lowerFirst(decision.next)}`,
				...(first === undefined ? {} : {first}),
			};
		}
	}
}

function lowerFirst(sentence: string): string {
	return `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, '')}`;
}
