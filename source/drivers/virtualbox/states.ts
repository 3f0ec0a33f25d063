import type {Observation} from '../../model/instance.ts';

export type Power = Pick<Observation, 'power' | 'reason'>;

/** What one can do with a machine that is in a state. `busy`: VirtualBox is in the middle of something, and it passes. */
export type Phase = 'off' | 'saved' | 'running' | 'paused' | 'broken' | 'busy';

type Entry = Power & {readonly phase: Phase};

const busyOff = (reason: string): Entry => ({phase: 'busy', power: 'off', reason});
const running: Entry = {phase: 'running', power: 'running'};
const paused: Entry = {
	phase: 'paused',
	power: 'paused',
	reason: 'it is paused, by somebody else or because the host’s disk is full; starting it goes on',
};
const guru: Entry = {
	phase: 'broken',
	power: 'unresponsive',
	reason: 'VirtualBox has stopped it over an error of its own (guru meditation); only cutting its power helps',
};

/**
 * Every state there is, by its letters alone: `showvminfo --machinereadable` says `poweroff` and `aborted-saved`, the
 * lists for people `powered off` and `deleting snapshot live`. Source: the strings of VBoxManage 7.2.
 */
const states: Readonly<Record<string, Entry>> = {
	poweroff: {phase: 'off', power: 'off'},
	poweredoff: {phase: 'off', power: 'off'},
	aborted: {phase: 'off', power: 'off'},
	teleported: {phase: 'off', power: 'off'},
	saved: {phase: 'saved', power: 'suspended'},
	// Its process ended while it was loading; what was saved is still there.
	abortedsaved: {phase: 'saved', power: 'suspended'},
	running,
	livesnapshotting: running,
	onlinesnapshotting: running,
	deletingsnapshotlive: running,
	teleporting: running,
	paused,
	deletingsnapshotlivepaused: paused,
	teleportingpausedvm: paused,
	gurumeditation: guru,
	stuck: guru,
	starting: {phase: 'busy', power: 'loading', reason: 'VirtualBox is starting it'},
	restoring: {phase: 'busy', power: 'loading', reason: 'its memory is being loaded'},
	teleportingin: {phase: 'busy', power: 'loading', reason: 'it is coming in from another host'},
	teleportingincoming: {phase: 'busy', power: 'loading', reason: 'it is coming in from another host'},
	saving: {phase: 'busy', power: 'paused', reason: 'its memory is being saved'},
	stopping: {phase: 'busy', power: 'paused', reason: 'VirtualBox is ending it'},
	settingup: busyOff('VirtualBox is changing it'),
	snapshotting: busyOff('VirtualBox is taking a snapshot of it'),
	offlinesnapshotting: busyOff('VirtualBox is taking a snapshot of it'),
	deletingsnapshot: busyOff('VirtualBox is deleting a snapshot of it'),
	restoringsnapshot: busyOff('VirtualBox is restoring a snapshot of it'),
};

function entryOf(word: string): Entry {
	const key = word.toLowerCase().replace(/[^a-z]/g, '');
	return Object.hasOwn(states, key) ? states[key]! : {phase: 'busy', power: 'unresponsive', reason: unknown(key)};
}

function unknown(key: string): string {
	return `VirtualBox says that it is ${key === '' ? 'in no state' : JSON.stringify(key.slice(0, 40))}, which this version of drover does not know`;
}

export function phaseOf(word: string): Phase {
	return entryOf(word).phase;
}

/** Whether a process of VirtualBox's has it. */
export function isOnline(word: string): boolean {
	const {phase, power} = entryOf(word);
	return phase === 'running' || phase === 'paused' || phase === 'broken' || (phase === 'busy' && power !== 'off');
}

export function powerOf(word: string): Power {
	const {power, reason} = entryOf(word);
	return reason === undefined ? {power} : {power, reason};
}
