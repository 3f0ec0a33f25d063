import type {DriverInfo} from '../../engine/engine.ts';
import type {InstanceView} from '../../model/instance.ts';
import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {newCloneForm} from './clone-form.ts';
import {newEditForm} from './edit-form.ts';
import {emptyField} from './field.ts';
import {addressOf} from './filter.ts';
import {
	commandFor,
	confirmationLevel,
	consequences,
	namesShort,
	type OfferedAction,
	offer,
	offers,
	requestFor,
} from './instance-actions.ts';
import {pop, push, step, tell} from './layers.ts';
import type {Model, Step} from './model.ts';
import {openMounts} from './mounts.ts';
import {openNetworks} from './networks.ts';
import {
	driverOf,
	isLive,
	isSwitching,
	offeredBy,
	switchingReason,
	targetIds,
	targetsOf,
	topLayer,
} from './selectors.ts';
import {openSnapshots} from './snapshots.ts';

/** What a key on an instance does: opens a menu or page, asks for confirmation, or begins at once. */
export function performInstance(model: Model, id: string, key: string, at: number): Step {
	switch (id) {
		case 'instance.menu':
			return openMenu(model, at);
		case 'instance.details':
			return openDetail(model);
		case 'instance.copy':
			return openCopy(model);
		default: {
			const action = offeredBy(id);
			return action === undefined ? step(model) : begin(model, action, key, at);
		}
	}
}

export function openMenu(model: Model, at: number): Step {
	const ids = targetIds(model);
	if (ids.length === 0) return tell(model, 'No instance is selected: move to one with the arrow keys.');
	return step(push(model, {kind: 'menu', ids, index: 0, openedAt: at}));
}

export function openDetail(model: Model): Step {
	const [instance] = targetsOf(model);
	if (!instance) return tell(model, 'No instance is selected: move to one with the arrow keys.');
	const base = topLayer(model)?.kind === 'menu' ? pop(model) : model;
	const open = topLayer(base);
	if (open?.kind === 'detail' && open.id === instance.id) return step(base);
	return step(push(base, {kind: 'detail', id: instance.id, tab: 0, top: 0}), {
		type: 'load-detail',
		id: instance.id,
		name: instance.name,
		tab: 0,
	});
}

function openCopy(model: Model): Step {
	const [instance] = targetsOf(model);
	if (!instance) return tell(model, 'No instance is selected: move to one with the arrow keys.');
	const name = plainLine(instance.name);
	const choices = [
		name,
		...(addressOf(instance) === '' ? [] : [addressOf(instance)]),
		`drover shell ${name}`,
		...(instance.ssh ? [`ssh -p ${instance.ssh.port} ${instance.ssh.user}@${instance.ssh.host}`] : []),
	].map(plainLine);
	return step(push(model, {kind: 'copy', title: `Copy from ${name}`, choices, index: 0}));
}

/** Does an action to the targets, after the confirmation its level asks for; what cannot be done says why. */
export function begin(model: Model, action: OfferedAction, key: string, at: number): Step {
	const driver = driverOf(model);
	if (!driver || !isLive(model)) {
		return tell(model, 'No connection to the drover daemon: ctrl-r tries again.', 'problem');
	}
	if (isSwitching(model)) return tell(model, `Not now: ${switchingReason}.`, 'problem');
	const targets = targetsOf(model);
	if (targets.length === 0) return tell(model, 'The instance is gone, nothing was done.', 'problem');
	const {answer, able, title} = offer(action, targets, driver);
	if (!answer.can) return tell(model, `${title.replace(' ...', '')}: ${plainLine(answer.reason)}`, 'problem');
	const closed = topLayer(model)?.kind === 'menu' ? pop(model) : model;
	const page = openPage(closed, action, targets[0]!, driver);
	if (page) return page;
	const request = requestFor(action, able);
	if (!request) return step(closed);
	const level = confirmationLevel(action, able.length);
	if (level === 0) return step(closed, {type: 'act', request});
	const chosen = targets.filter(instance => able.includes(instance.name));
	const left = targets.length - able.length;
	const word = able.length === 1 ? able[0]! : String(able.length);
	return step(
		push(closed, {
			kind: 'confirm',
			level,
			title: `${title.replace(' ...', '')} ${namesShort(able)}?`,
			effects: [
				...consequences(action, chosen, formatSize),
				...(left > 0
					? [
							`${left} of the chosen cannot be and ${left === 1 ? 'is' : 'are'} left as ${left === 1 ? 'it is' : 'they are'}.`,
						]
					: []),
			],
			command: commandFor(action, able)!,
			intention: {kind: 'act', request, ids: chosen.map(instance => instance.id)},
			...(level === 2 ? {word} : {}),
			field: emptyField,
			openedAt: at,
			openedBy: key,
		}),
	);
}

/** Actions that are about one instance and have a place of their own. */
function openPage(model: Model, action: OfferedAction, instance: InstanceView, driver: DriverInfo): Step | undefined {
	switch (action) {
		case 'shell':
			return step(model, {type: 'shell', name: instance.name});
		case 'snapshot':
			return openSnapshots(model, instance);
		case 'mounts':
			return openMounts(model, instance);
		case 'networks':
			return openNetworks(model, instance);
		case 'edit':
			return step(push(model, newEditForm(instance, driver)));
		case 'duplicate':
			return step(push(model, newCloneForm(instance)));
		default:
			return undefined;
	}
}

/** Enter in the menu. */
export function runMenuLine(model: Model, key: string, at: number): Step {
	const layer = topLayer(model);
	const driver = driverOf(model);
	if (layer?.kind !== 'menu' || !driver) return step(model);
	const targets = targetsOf(model);
	if (targets.length === 0) return tell(pop(model), 'The instance is gone, nothing was done.', 'problem');
	if (layer.index === 0 && targets.length === 1) return openDetail(model);
	const list = offers(targets, driver);
	const chosen = list[layer.index - (targets.length === 1 ? 1 : 0)];
	return chosen ? begin(model, chosen.action, key, at) : step(model);
}
