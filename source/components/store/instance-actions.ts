import {type Availability, availability, type InstanceAction, instanceActions} from '../../engine/availability.ts';
import type {ActRequest, DriverInfo, EngineAction} from '../../engine/engine.ts';
import type {InstanceView} from '../../model/instance.ts';
import {listOf, plainLine} from '../../model/text.ts';
import {decide} from '../../model/transitions.ts';

/** What the menu offers: the engine's actions and the ways of them that need their own words. */
export type OfferedAction = InstanceAction | 'power-off' | 'cancel-stop' | 'discard';

export type Offer = {
	readonly action: OfferedAction;
	readonly title: string;
	/** What happens, or for how many of several it can be done. */
	readonly note: string;
	readonly isDanger: boolean;
	readonly answer: Availability;
	/** Names it can be done to now. */
	readonly able: readonly string[];
};

const titles: Readonly<Record<OfferedAction, readonly [title: string, note: string]>> = {
	shell: ['Shell', 'in this terminal; exit comes back'],
	start: ['Start', ''],
	stop: ['Stop', 'graceful'],
	restart: ['Restart', ''],
	suspend: ['Suspend', 'memory is kept on disk'],
	snapshot: ['Snapshots', 'taken, restored, deleted'],
	mounts: ['Mounts', 'directories of this host that it sees'],
	networks: ['Networks', 'further interfaces'],
	edit: ['Edit cpu/mem/disk', ''],
	duplicate: ['Duplicate', ''],
	delete: ['Delete ...', 'goes to the trash, u brings it back'],
	recover: ['Recover', 'from the trash'],
	purge: ['Purge ...', 'removes the disk for good'],
	'power-off': ['Cut the power ...', 'when the guest does not stop by itself'],
	'cancel-stop': ['Call off the stop', 'it stays running'],
	discard: ['Boot without memory ...', 'throws the saved memory away'],
};

/** What is about one instance at a time. */
const single: ReadonlySet<OfferedAction> = new Set(['shell', 'snapshot', 'mounts', 'networks', 'edit', 'duplicate']);

const danger: ReadonlySet<OfferedAction> = new Set(['delete', 'purge', 'power-off', 'discard']);

const menuOrder: readonly OfferedAction[] = [
	...instanceActions.filter(action => !danger.has(action)),
	'delete',
	'power-off',
	'purge',
];

function answerFor(action: OfferedAction, instance: InstanceView, driver: DriverInfo): Availability {
	if (action === 'discard') return availability('start', instance, driver);
	if (action === 'snapshot') return snapshotsPage(instance, driver);
	if (action !== 'power-off' && action !== 'cancel-stop') return availability(action, instance, driver);
	if (!driver.health.usable) return availability('stop', instance, driver);
	const decision = decide('stop', instance.state, action === 'power-off' ? {force: true} : {cancelDelayed: true});
	if (decision.kind === 'do') return {can: true};
	return {
		can: false,
		kind: 'not-now',
		reason: decision.kind === 'nothing' ? decision.note : decision.kind === 'refuse' ? decision.reason : 'under way',
	};
}

/** They can be looked at in any state; what cannot be done with them then, the page says. */
function snapshotsPage(instance: InstanceView, driver: DriverInfo): Availability {
	const answer = availability('snapshot', instance, driver);
	if (answer.can || answer.kind !== 'not-now') return answer;
	return instance.state === 'Deleted' || instance.state === 'Broken' ? answer : {can: true};
}

/** Whether and how an action can be done to some instances; with several it can when it can for one of them. */
export function offer(action: OfferedAction, targets: readonly InstanceView[], driver: DriverInfo): Offer {
	const [title, note] = titles[action];
	const answers = targets.map(instance => ({name: instance.name, answer: answerFor(action, instance, driver)}));
	const able = answers.filter(({answer}) => answer.can).map(({name}) => name);
	const first: Availability = answers[0]?.answer ?? {can: false, kind: 'not-now', reason: 'it is gone'};
	const answer: Availability =
		single.has(action) && targets.length > 1
			? {can: false, kind: 'not-now', reason: 'one instance at a time: unmark the others (U)'}
			: able.length > 0
				? {can: true}
				: first;
	const isPartly = answer.can && able.length < targets.length;
	const isResume = action === 'start' && targets.length === 1 && targets[0]!.state === 'Suspended';
	return {
		action,
		title: isResume ? 'Resume' : title,
		note: isPartly ? `${able.length} of ${targets.length} can` : note,
		isDanger: danger.has(action),
		answer,
		able,
	};
}

/** Every line of the menu, always all of them and in the same order: nothing moves under the finger. */
export function offers(targets: readonly InstanceView[], driver: DriverInfo): readonly Offer[] {
	const isSuspended = targets.some(instance => instance.state === 'Suspended');
	const isStopping = targets.some(instance => instance.state === 'Delayed Shutdown');
	return menuOrder
		.flatMap(action => (action === 'stop' && isStopping ? (['stop', 'cancel-stop'] as const) : [action]))
		.flatMap(action => (action === 'delete' && isSuspended ? (['discard', 'delete'] as const) : [action]))
		.map(action => offer(action, targets, driver));
}

/** The request for an action, or `undefined` for those that are not operations (shell). */
export function requestFor(action: OfferedAction, names: readonly string[]): Omit<ActRequest, 'by'> | undefined {
	switch (action) {
		case 'power-off':
			return {action: 'stop', names, options: {force: true}};
		case 'discard':
			return {action: 'start', names, options: {discardMemory: true}};
		case 'cancel-stop':
			return {action: 'stop', names, options: {cancelDelayed: true}};
		case 'start':
		case 'stop':
		case 'restart':
		case 'suspend':
		case 'delete':
		case 'recover':
		case 'purge':
			return {action, names};
		default:
			return undefined;
	}
}

/** The same thing as a command line. */
export function commandFor(action: OfferedAction, names: readonly string[]): string | undefined {
	const verbs: Partial<Record<OfferedAction, string>> = {
		shell: 'shell',
		start: 'start',
		stop: 'stop',
		restart: 'restart',
		suspend: 'suspend',
		delete: 'delete',
		recover: 'recover',
		purge: 'delete --purge',
		'power-off': 'stop --force',
		'cancel-stop': 'stop --cancel',
		discard: 'start --discard-memory',
	};
	const verb = verbs[action];
	return verb === undefined ? undefined : `drover ${verb} ${names.map(plainLine).join(' ')}`;
}

/** 0: done at once; 1: `y`; 2: the name (or the count) is typed. */
export function confirmationLevel(action: OfferedAction, count: number): 0 | 1 | 2 {
	if (action === 'purge' || action === 'power-off' || action === 'discard') return 2;
	if (action === 'shell' || action === 'cancel-stop') return 0;
	if (action === 'start' || action === 'recover') return count > 1 ? 1 : 0;
	return 1;
}

/** What a confirmation says will happen. */
export function consequences(action: OfferedAction, targets: readonly InstanceView[], size: (bytes: number) => string) {
	const bytes = targets.reduce((sum, instance) => sum + instance.disk, 0);
	const memory = targets.reduce((sum, instance) => sum + instance.memory, 0);
	const one = targets.length === 1;
	switch (action) {
		case 'stop':
			return [`${one ? 'The guest is' : 'The guests are'} asked to shut down. Programs in ${one ? 'it' : 'them'} end.`];
		case 'restart':
			return [`${one ? 'The guest reboots' : 'The guests reboot'}: programs end, the disk stays.`];
		case 'suspend':
			return [`Up to ${size(memory)} of memory is saved to disk; s resumes where it was.`];
		case 'delete':
			return [`Stopped if running, then kept in the trash. u brings ${one ? 'it' : 'them'} back.`];
		case 'purge':
			return [`The ${size(bytes)} disk${one ? '' : 's'} and all saved state are removed now, for good.`];
		case 'discard':
			return ['It boots from its disk as after a power cut; what was in its memory is gone for good.'];
		case 'power-off':
			return ['As if the plug were pulled: unsaved data is lost, and any saved memory is thrown away.'];
		default:
			return [`${targets.length} instance${one ? '' : 's'}.`];
	}
}

/** `web`, or the first five and how many more. */
export function namesShort(names: readonly string[]): string {
	const plain = names.map(plainLine);
	if (plain.length <= 5) return listOf(plain);
	return `${plain.slice(0, 5).join(', ')} and ${plain.length - 5} more`;
}

export function isEngineAction(action: string): action is EngineAction {
	return (
		requestFor(action as OfferedAction, []) !== undefined &&
		action !== 'power-off' &&
		action !== 'cancel-stop' &&
		action !== 'discard'
	);
}
