import {type CapabilityName, capabilityTitles} from '../drivers/capabilities.ts';
import type {DriverFeature} from '../drivers/features.ts';
import {type DriverName, driverTitles} from '../model/driver-name.ts';
import type {InstanceView} from '../model/instance.ts';
import type {Mount} from '../model/mount.ts';
import {decideSnapshot} from '../model/snapshot-transitions.ts';
import {isInBetween, isUp} from '../model/state.ts';
import {type Decision, decide} from '../model/transitions.ts';
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

/** What this version of drover does for some drivers, and not for others. */
const parts = {
	networks: {features: ['networks'], what: 'extra networks are'},
	edit: {features: ['resize'], what: 'changing cpu, memory and disk is'},
	/** Those of type native; the others go over SSH, under every driver. */
	nativeMounts: {features: ['mount', 'plug'], what: 'native mounts are'},
	snapshot: {features: ['snapshots'], what: 'snapshots are'},
	duplicate: {features: ['clone'], what: 'cloning is'},
	link: {features: ['linkedClone'], what: 'linked clones are'},
} as const satisfies Record<string, {features: readonly DriverFeature[]; what: string}>;

/** Asks the layers in order (driver's table, host, drover itself, the instance's state); the first no is the answer. */
export function availability(action: InstanceAction, instance: InstanceView, driver: DriverInfo): Availability {
	const capability = needs[action];
	if (capability !== undefined) {
		const answer = driver.capabilities[capability];
		if (answer.can === 'no') return {can: false, kind: 'not-here', reason: answer.reason, drivers: answer.drivers};
	}
	if (!driver.health.usable && action !== 'recover' && action !== 'delete') {
		return {
			can: false,
			kind: 'not-here',
			reason: `${driverTitles[driver.name]} cannot be used: ${driver.health.summary}`,
		};
	}
	if (action === 'mounts') {
		const problem = mountProblem(driver);
		return problem === undefined
			? nowChanged(action, instance, driver)
			: {can: false, kind: 'not-yet', reason: problem};
	}
	if (action === 'networks' || action === 'edit' || action === 'snapshot' || action === 'duplicate') {
		const problem = featureProblem(action, driver);
		if (problem !== undefined) return {can: false, kind: 'not-yet', reason: problem};
		if (action !== 'snapshot' && action !== 'duplicate') return nowChanged(action, instance, driver);
		const decision = decideSnapshot(action === 'snapshot' ? action : 'clone', instance.state, driver.snapshotsLive);
		return answerOf(decision, instance);
	}
	return now(action, instance);
}

/** Why there are no mounts at all: a host that cannot serve them over SSH, under a driver without native ones. */
function mountProblem(driver: DriverInfo): string | undefined {
	if (driver.classicMountProblem === undefined || nativeMountProblem(driver) === undefined) return undefined;
	return driver.classicMountProblem;
}

export type DriverPart = keyof typeof parts;

/** Why there are no native mounts under a driver; `undefined` where there are. Without a full stop. */
export function nativeMountProblem(driver: Pick<DriverInfo, 'name' | 'features' | 'capabilities'>): string | undefined {
	const {nativeMounts} = driver.capabilities;
	if (nativeMounts.can === 'no') return `${capabilityTitles.nativeMounts} are ${nativeMounts.reason}`;
	return featureProblem('nativeMounts', driver);
}

/** How a directory is mounted when nothing is said: natively where that can be done while an instance runs. */
export function defaultMountType(driver: Pick<DriverInfo, 'features' | 'capabilities'>): Mount['type'] {
	const isHot = driver.capabilities.nativeMounts.can === 'yes' && driver.features.includes('mount');
	return isHot ? 'native' : 'classic';
}

/** Why this version of drover cannot do it under a driver: without a full stop, for menus and sentences alike. */
export function featureProblem(part: DriverPart, driver: Pick<DriverInfo, 'name' | 'features'>): string | undefined {
	const {features, what} = parts[part];
	if (features.some(feature => driver.features.includes(feature))) return undefined;
	return `${what} not in this version of drover for ${driverTitles[driver.name]}`;
}

/** Why a clone cannot be a linked one under a driver; `undefined` where it can. Without a full stop. */
export function linkProblem(driver: Pick<DriverInfo, 'name' | 'features' | 'sharesByItself'>): string | undefined {
	const problem = featureProblem('link', driver);
	if (problem === undefined || !driver.sharesByItself) return problem;
	return `under ${driverTitles[driver.name]} every clone shares what neither has changed where the storage pool copies on write, and none does elsewhere`;
}

/** What an instance consists of can be changed while it rests, and some of it while it runs. */
function nowChanged(part: 'mounts' | 'networks' | 'edit', {state}: InstanceView, driver: DriverInfo): Availability {
	const no = (reason: string, first?: InstanceAction): Availability => ({
		can: false,
		kind: 'not-now',
		reason,
		...(first === undefined ? {} : {first}),
	});
	if (state === 'Deleted') return no('it is deleted: recover it first', 'recover');
	if (state === 'Broken') return no('its record cannot be read: info shows the reason and where the file is');
	if (isInBetween(state)) return no(`not while it is ${state}`);
	if (part === 'mounts' || state === 'Stopped') return {can: true};
	const live = driver.resizesLive.filter(what => (part === 'networks') === (what === 'networks'));
	if (isUp(state) && live.length > 0) return {can: true};
	if (state === 'Suspended') return no('it is suspended: start it and stop it first', 'start');
	return no('only while it is stopped: stop it first', 'stop');
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
	return answerOf(decide(action as Parameters<typeof decide>[0], instance.state, {}, instance), instance);
}

function answerOf(decision: Decision, {state}: InstanceView): Availability {
	switch (decision.kind) {
		case 'do':
			return {can: true};
		case 'nothing':
			return {can: false, kind: 'not-now', reason: decision.note};
		case 'join':
			return {can: false, kind: 'not-now', reason: 'already under way'};
		case 'refuse': {
			const first = state === 'Deleted' ? 'recover' : firstOf(decision.next);
			return {
				can: false,
				kind: 'not-now',
				reason: decision.next === undefined ? decision.reason : `${decision.reason}: ${lowerFirst(decision.next)}`,
				...(first === undefined ? {} : {first}),
			};
		}
	}
}

/** What a sentence says is to be done first, where that is an action. */
function firstOf(next = ''): InstanceAction | undefined {
	if (next.startsWith('Start it')) return 'start';
	return next.startsWith('Stop it first') ? 'stop' : undefined;
}

function lowerFirst(sentence: string): string {
	return `${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, '')}`;
}
