import type {DriverName} from '../model/driver-name.ts';
import type {InstanceRecord, InstanceView, Observation} from '../model/instance.ts';
import type {MountView} from '../model/mount.ts';
import type {InstanceState} from '../model/state.ts';
import type {StoredRecord} from '../state/records.ts';
import type {StoredSnapshots} from '../state/snapshots.ts';

/** The operation at work on an instance, as far as its display goes. */
export type WorkInHand = {
	readonly id: string;
	readonly kind: string;
	readonly stage: string;
	readonly percent?: number;
	/** Waits for earlier work on the same instance, so it does not show in the state yet. */
	readonly isQueued: boolean;
};

/** Record + observation + work under way -> the state a person sees, with the reason where one is needed. */
export function deriveState(
	record: InstanceRecord,
	observation: Observation | undefined,
	work: WorkInHand | undefined,
): {state: InstanceState; reason?: string} {
	if (record.deleted) return {state: 'Deleted'};
	const kind = work?.isQueued === false ? work.kind : undefined;
	// Once its guest has answered the rest of a launch is in nobody's way.
	if (kind === 'start' || (kind === 'launch' && record.phase === 'creating')) return {state: 'Starting'};
	if (kind === 'restart') return {state: 'Restarting'};
	if (kind === 'suspend') return {state: 'Suspending'};
	if (record.phase === 'creating' && record.intent?.action === 'clone') {
		// What is asked of it waits until it is there.
		return {state: 'Stopped', reason: `it is being cloned from ${record.intent.options.source?.name ?? 'another'}`};
	}
	if (record.phase === 'creating' && (record.intent?.action === 'import' || record.intent?.action === 'move')) {
		return {
			state: 'Stopped',
			reason: record.intent.action === 'import' ? 'it is being imported' : 'it is being moved here',
		};
	}
	if (record.phase === 'creating') return {state: 'Unknown', reason: 'its launch was cut short and is being taken up'};
	switch (observation?.power) {
		case undefined:
			return {state: 'Unknown', reason: 'not looked at yet'};
		case 'off':
			return {state: record.suspended ? 'Suspended' : 'Stopped', ...movedReason(record), ...parkedReason(record)};
		case 'suspended':
			return {state: 'Suspended', ...parkedReason(record)};
		case 'running':
			if (record.unanswered) return {state: 'Unknown', reason: record.unanswered.reason};
			return {state: record.shutdownAt ? 'Delayed Shutdown' : 'Running'};
		case 'paused':
			return {state: 'Unknown', reason: observation.reason ?? 'its processors are paused'};
		case 'loading':
			return {state: 'Unknown', reason: observation.reason ?? 'its memory is being loaded'};
		case 'unresponsive':
			return {state: 'Unknown', reason: observation.reason ?? 'the hypervisor does not answer'};
		case 'unusable':
			return {state: 'Broken', reason: observation.reason ?? 'its files cannot be used'};
	}
}

/** What is here is the original, and its copy goes on elsewhere. */
function movedReason({moved}: InstanceRecord): {reason?: string} {
	return moved
		? {reason: `it was moved to ${moved.to}, and this is the original; delete it when it is not needed`}
		: {};
}

/** A switch could not bring it back: why, beside the state it rests in. */
function parkedReason({parked}: InstanceRecord): {reason?: string} {
	return parked?.failure ? {reason: `could not be brought back by the switch: ${parked.failure.message}`} : {};
}

/** What clients are shown of a record that can be read. */
export function viewOf(
	record: InstanceRecord,
	driver: DriverName,
	observation: Observation | undefined,
	work: WorkInHand | undefined,
	{
		mountProblem = () => undefined,
		snapshots,
		aside,
	}: {
		/** What is wrong with the mount on a target. */
		readonly mountProblem?: (target: string) => string | undefined;
		readonly snapshots?: StoredSnapshots | undefined;
		/** Work that is in nobody's way: it makes no difference to the state. */
		readonly aside?: WorkInHand | undefined;
	} = {},
): InstanceView {
	const shown = work ?? aside;
	const {state, reason} = deriveState(record, observation, work);
	const isAlive = observation?.power === 'running';
	return {
		id: record.id,
		name: record.name,
		scope: record.scope,
		driver,
		state,
		...(reason === undefined ? {} : {reason}),
		...(state === 'Unknown' && observation?.power === 'paused' ? {isPaused: true} : {}),
		...(record.suspended ? {suspendedBy: record.suspended.by} : {}),
		image: record.image,
		cpus: record.hardware.cpus,
		memory: record.hardware.memory,
		disk: record.hardware.disk,
		ipv4: isAlive ? observation.ipv4 : [],
		...(isAlive && observation.ssh ? {ssh: {...observation.ssh, user: record.ssh.user}} : {}),
		createdAt: record.createdAt,
		createdBy: record.createdBy,
		...(isAlive && observation.runningSince !== undefined ? {runningSince: observation.runningSince} : {}),
		observedAt: observation?.observedAt ?? 0,
		...(record.shutdownAt === undefined ? {} : {shutdownAt: record.shutdownAt}),
		...(observation?.member === undefined ? {} : {member: observation.member}),
		...(record.lxd === undefined ? {} : {kind: record.lxd.type}),
		...(record.mounts === undefined || record.mounts.length === 0
			? {}
			: {
					mounts: record.mounts.map((mount): MountView => {
						const problem = isAlive ? mountProblem(mount.target) : undefined;
						return problem === undefined ? mount : {...mount, problem};
					}),
				}),
		...(record.forwards === undefined || record.forwards.length === 0 ? {} : {forwards: record.forwards}),
		...(snapshots?.kind === 'tree' ? {snapshotCount: snapshots.tree.snapshots.length} : {}),
		...(shown
			? {
					operation: {
						id: shown.id,
						kind: shown.kind,
						stage: shown.stage,
						...(shown.percent === undefined ? {} : {percent: shown.percent}),
					},
				}
			: {}),
	};
}

/** What clients are shown where a record cannot be read: the row stays, with the reason. */
export function brokenView(stored: Extract<StoredRecord, {kind: 'broken'}>, driver: DriverName): InstanceView {
	return {
		id: `broken-${stored.scope}-${stored.name}`,
		name: stored.name,
		scope: stored.scope,
		driver,
		state: 'Broken',
		reason: brokenReason(stored),
		image: {query: '', release: '', os: '', hash: ''},
		cpus: 0,
		memory: 0,
		disk: 0,
		ipv4: [],
		createdAt: '',
		createdBy: '',
		observedAt: 0,
	};
}

function brokenReason({
	reason,
	directory,
	hasLastGood,
	machine,
	isStranger,
	name,
}: Extract<StoredRecord, {kind: 'broken'}>): string {
	if (isStranger) return `${reason} (process ${machine?.pid}); "drover forget ${name}" cuts its power`;
	const running = machine === undefined ? '' : `; its machine runs as process ${machine.pid}`;
	const ways = hasLastGood
		? `"drover adopt ${name}" puts its last good record back`
		: `"drover forget ${name}" sets it aside`;
	return `${reason} (${directory}${running}); ${ways}`;
}

/** Order of `list`: the primary first, then by name. */
export function inOrder(views: readonly InstanceView[], primary: string): InstanceView[] {
	return [...views].sort((a, b) => {
		if (a.name === primary || b.name === primary) return a.name === primary ? (b.name === primary ? 0 : -1) : 1;
		return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
	});
}

/** Whether a client would see a difference; the time of looking is none. */
export function looksSame(a: InstanceView, b: InstanceView): boolean {
	return JSON.stringify({...a, observedAt: 0}) === JSON.stringify({...b, observedAt: 0});
}
