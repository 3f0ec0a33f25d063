import type {ActionOptions} from './instance.ts';
import type {InstanceState} from './state.ts';

/** What is to be done about a request, given the state an instance is in. */
export type Decision =
	| {readonly kind: 'do'}
	/** Nothing to do, which is a success: the note says why. */
	| {readonly kind: 'nothing'; readonly note: string}
	/** Join the work already under way and wait for its end. */
	| {readonly kind: 'join'}
	| {readonly kind: 'refuse'; readonly reason: string; readonly next?: string};

export type TransitionAction = 'start' | 'stop' | 'restart' | 'suspend' | 'delete' | 'recover' | 'purge';

const go: Decision = {kind: 'do'};
const nothing = (note: string): Decision => ({kind: 'nothing', note});
const refuse = (reason: string, next?: string): Decision => ({
	kind: 'refuse',
	reason,
	...(next === undefined ? {} : {next}),
});

/**
 * The table of transitions. Source: what Multipass 1.16 allows, with its no-ops kept as successes.
 * @param isPaused whether an Unknown one only stands still, so that a start sets it going
 */
export function decide(
	action: TransitionAction,
	state: InstanceState,
	options: ActionOptions = {},
	{isPaused = false}: {readonly isPaused?: boolean | undefined} = {},
): Decision {
	if (state === 'Broken') {
		return action === 'purge' || (action === 'delete' && options.purge)
			? refuse('its record cannot be read', 'Repair or remove its directory by hand; info shows where it is.')
			: refuse('its record cannot be read', 'info shows the reason and where the file is.');
	}
	switch (action) {
		case 'start':
			return state === 'Unknown' && isPaused ? go : decideStart(state);
		case 'stop':
			return decideStop(state, options);
		case 'restart':
			return decideRestart(state);
		case 'suspend':
			return decideSuspend(state);
		case 'delete':
			return decideDelete(state, options);
		case 'recover':
			return state === 'Deleted' ? go : nothing('it is not deleted');
		case 'purge':
			return state === 'Deleted' ? go : refuse('it is not deleted', 'Delete it first, or use delete --purge.');
	}
}

function decideStart(state: InstanceState): Decision {
	switch (state) {
		case 'Running':
			return nothing('already running');
		case 'Starting':
		case 'Restarting':
			return {kind: 'join'};
		case 'Suspending':
			return refuse('cannot start the instance while it is suspending', 'Wait until it is suspended.');
		case 'Unknown':
			return refuse(
				'it is already running, but in an unknown state',
				'Try to stop it and start it again (stop --force when it does not answer).',
			);
		case 'Deleted':
			return refuse('it is deleted', 'Recover it first.');
		default:
			return go;
	}
}

function decideStop(state: InstanceState, options: ActionOptions): Decision {
	if (options.cancelDelayed) return state === 'Delayed Shutdown' ? go : nothing('no delayed stop is pending');
	switch (state) {
		case 'Stopped':
			return nothing('already stopped');
		case 'Deleted':
			return refuse('it is deleted', 'Recover it first.');
		case 'Suspended':
			return options.force
				? go
				: refuse(
						'cannot shut down suspended instance',
						'Start it first, or use --force, which discards its saved memory.',
					);
		case 'Suspending':
			return options.force
				? go
				: refuse('cannot shut down while suspending', 'Wait until it is suspended, or use --force.');
		case 'Starting':
		case 'Restarting':
			return options.force
				? go
				: refuse('cannot shut down while starting', 'Wait until it is running, or use --force.');
		default:
			return go;
	}
}

function decideRestart(state: InstanceState): Decision {
	switch (state) {
		case 'Running':
		case 'Delayed Shutdown':
			return go;
		case 'Restarting':
			return {kind: 'join'};
		case 'Starting':
			return refuse('it is still starting', 'Wait until it is running.');
		case 'Suspending':
			return refuse('it is being suspended', 'Wait until it is suspended, then start it.');
		case 'Unknown':
			return refuse('it is in an unknown state', 'Stop it (stop --force when it does not answer) and start it again.');
		case 'Deleted':
			return refuse('it is deleted', 'Recover it first.');
		default:
			return refuse('it is not running', 'Start it first.');
	}
}

function decideSuspend(state: InstanceState): Decision {
	switch (state) {
		case 'Running':
		case 'Delayed Shutdown':
		case 'Unknown':
			return go;
		case 'Suspended':
			return nothing('already suspended');
		case 'Stopped':
			return nothing('it is stopped: there is nothing to suspend');
		case 'Suspending':
			return {kind: 'join'};
		case 'Deleted':
			return refuse('it is deleted', 'Recover it first.');
		default:
			return refuse('cannot suspend the instance while it is starting', 'Wait until it is running.');
	}
}

function decideDelete(state: InstanceState, options: ActionOptions): Decision {
	if (options.purge) return go;
	switch (state) {
		case 'Deleted':
			return nothing('already deleted');
		case 'Suspending':
			return refuse('cannot delete the instance while it is suspending', 'Wait, or use --purge.');
		case 'Starting':
		case 'Restarting':
			return refuse('cannot delete the instance while it is starting', 'Wait, or use --purge.');
		default:
			return go;
	}
}
