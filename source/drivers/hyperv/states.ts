import type {Observation} from '../../model/instance.ts';

type Power = Pick<Observation, 'power' | 'reason'>;

/**
 * Hyper-V's states by name. The numbers behind them were given anew in newer versions of Windows, so that they are never
 * used. A name that is not here is told as it is.
 */
const states: Readonly<Record<string, Power>> = {
	Running: {power: 'running'},
	Off: {power: 'off'},
	// Its guest is powering off.
	Stopping: {power: 'running'},
	Starting: {power: 'loading', reason: 'it is starting'},
	Reset: {power: 'running'},
	Paused: {power: 'paused'},
	Pausing: {power: 'paused'},
	Resuming: {power: 'loading', reason: 'it is being resumed'},
	Saved: {power: 'suspended'},
	FastSaved: {power: 'suspended'},
	Saving: {power: 'loading', reason: 'its memory is being saved by somebody else'},
	FastSaving: {power: 'loading', reason: 'its memory is being saved by somebody else'},
	ForceShutdown: {power: 'running'},
	ForceReboot: {power: 'running'},
	RunningCritical: {power: 'unresponsive', reason: 'Hyper-V has lost its storage while it runs'},
	PausedCritical: {power: 'paused', reason: 'Hyper-V has paused it: its storage is full or gone'},
	OffCritical: {power: 'unusable', reason: 'Hyper-V cannot reach its files'},
	SavedCritical: {power: 'unusable', reason: 'Hyper-V cannot reach its files'},
};

export function powerOf(state: string): Power {
	return states[state] ?? {power: 'unresponsive', reason: `Hyper-V says that it is ${state || 'in no state'}`};
}

export function isOff(state: string): boolean {
	return state === 'Off' || state === 'OffCritical';
}

export function isRunning(state: string): boolean {
	return powerOf(state).power === 'running';
}

export function isSaved(state: string): boolean {
	return state === 'Saved' || state === 'FastSaved';
}
