/** The states a person sees. The first nine are Multipass's words; Broken is drover's own. */
export const instanceStates = [
	'Running',
	'Stopped',
	'Deleted',
	'Starting',
	'Restarting',
	'Delayed Shutdown',
	'Suspending',
	'Suspended',
	'Unknown',
	'Broken',
] as const;
export type InstanceState = (typeof instanceStates)[number];

/** Whether the guest is up and can be worked in. */
export function isUp(state: InstanceState): boolean {
	return state === 'Running' || state === 'Delayed Shutdown';
}

/** Whether the state will change by itself because something is under way. */
export function isInBetween(state: InstanceState): boolean {
	return state === 'Starting' || state === 'Restarting' || state === 'Suspending';
}
