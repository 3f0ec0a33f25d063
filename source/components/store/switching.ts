import {type DriverName, driverTitles} from '../../model/driver-name.ts';
import type {SwitchStory} from '../../model/switch-story.ts';
import {plainLine} from '../../model/text.ts';
import {emptyField} from './field.ts';
import {change, pop, push, step, tell} from './layers.ts';
import type {Message, Model, Step, SwitchPlanLayer} from './model.ts';
import {topLayer} from './selectors.ts';

export function openPlan(model: Model, to: DriverName): Step {
	const layer: SwitchPlanLayer = {kind: 'switch-plan', to, side: 'park', index: 0, force: new Set()};
	return step(push(model, layer), {type: 'load-plan', to});
}

export function planArrived(model: Model, {to, plan, error}: Extract<Message, {type: 'switch-plan'}>): Model {
	return change(model, 'switch-plan', layer =>
		layer.to === to ? {...layer, ...(plan ? {plan} : {}), ...(error ? {error} : {})} : layer,
	);
}

/** Shows the switch under way, or the last one. */
export function openStory(model: Model): Step {
	return topLayer(model)?.kind === 'switch-run' ? step(model) : step(push(model, {kind: 'switch-run', top: 0}));
}

/** The switch that was asked for from here was refused: its screen would tell of another one. */
export function withoutAsked(model: Model, what: string): Model {
	const layer = topLayer(model);
	const isRefused = layer?.kind === 'switch-run' && layer.asked !== undefined && what === switchWords(layer.asked.to);
	return isRefused && layer.asked?.before === model.story?.id ? pop(model) : model;
}

/** What a request for a switch is called where its refusal is told. */
export function switchWords(to: DriverName): string {
	return `switch to ${to}`;
}

/** News of a switch. Its end is told wherever one is; what began elsewhere is told too. */
export function onStory(model: Model, story: SwitchStory | undefined, at: number): Step {
	const before = model.story;
	const next = {...model, story};
	if (story === undefined || before === undefined || before.id !== story.id) {
		if (story === undefined || story.phase === 'done' || before === undefined) return step(next);
		return tell(next, `${plainLine(story.by)} switches to ${driverTitles[story.to]}: L shows it.`);
	}
	if (before.phase === 'done' || story.phase !== 'done') return step(next);
	const title = driverTitles[story.to];
	switch (story.outcome) {
		case 'switched':
			return tell(next, `Switched to ${title}.`, 'good');
		case 'partly':
			return tell(
				withStoryAlert(next, story, at),
				`Switched to ${title}, but not all could be brought back: L shows it.`,
				'problem',
			);
		default:
			return tell(
				withStoryAlert(next, story, at),
				`Still on ${driverTitles[story.from]}: ${plainLine(story.reason?.message ?? '')}`,
				'problem',
			);
	}
}

function withStoryAlert(model: Model, story: SwitchStory, at: number): Model {
	const isSeen = topLayer(model)?.kind === 'switch-run';
	const names = story.restore.filter(line => line.result === 'failed').map(line => plainLine(line.name));
	const text =
		story.outcome === 'stayed'
			? `Still on ${driverTitles[story.from]}: ${plainLine(story.reason?.message ?? '')}`
			: `The switch to ${driverTitles[story.to]} could not bring back ${names.join(', ')}.`;
	const alert = {id: `switch-${story.id}`, at, level: 'error' as const, text, next: 'L tells the whole story.'};
	return {
		...model,
		alerts: [alert, ...model.alerts].slice(0, 200),
		unseenAlerts: model.unseenAlerts + (isSeen ? 0 : 1),
	};
}

/** The keys of the plan. */
export function performPlan(model: Model, word: string, key: string, at: number): Step {
	const layer = topLayer(model);
	if (layer?.kind !== 'switch-plan') return step(model);
	switch (word) {
		case 'side':
			return step(
				change(model, 'switch-plan', plan => ({...plan, side: plan.side === 'park' ? 'restore' : 'park', index: 0})),
			);
		case 'force':
			return toggleForce(model, layer);
		case 'review':
			return review(model, layer, key, at);
		default:
			return step(model);
	}
}

function toggleForce(model: Model, layer: SwitchPlanLayer): Step {
	const line = layer.side === 'park' ? layer.plan?.park[layer.index] : undefined;
	if (line?.method !== 'stop') return tell(model, 'Only for an instance that has to be stopped.');
	const force = new Set(layer.force);
	if (!force.delete(line.name)) force.add(line.name);
	return step(change(model, 'switch-plan', plan => ({...plan, force})));
}

function review(model: Model, layer: SwitchPlanLayer, key: string, at: number): Step {
	const {plan, to} = layer;
	if (!plan) return tell(model, layer.error ? 'There is no plan to go by.' : 'The plan is not there yet.');
	const [problem] = plan.problems;
	if (problem) return tell(model, plainLine(`${problem.message} ${problem.next ?? ''}`), 'problem');
	const parked = plan.park.filter(line => line.method !== 'leave').length;
	const restored = plan.restore.filter(line => line.method !== 'leave').length;
	const losing = plan.losesMemory.length;
	return step(
		push(model, {
			kind: 'confirm',
			level: losing > 0 ? 2 : 1,
			title: `Switch to ${driverTitles[to]}?`,
			effects: [
				`${parked} parked in ${driverTitles[plan.from]}, ${restored} brought back in ${driverTitles[to]}.`,
				...(losing > 0
					? [`${losing} running ${losing === 1 ? 'instance loses its' : 'instances lose their'} memory.`]
					: []),
				'No instance is removed. If parking fails, the old driver stays.',
			],
			command: switchCommand(layer),
			intention: {kind: 'switch', to, force: [...layer.force]},
			...(losing > 0 ? {word: to} : {}),
			field: emptyField,
			openedAt: at,
			openedBy: key,
		}),
	);
}

/** The same on the command line. */
export function switchCommand({to, force}: Pick<SwitchPlanLayer, 'to' | 'force'>): string {
	return ['drover switch', ...[...force].map(name => `--force ${plainLine(name)}`), to].join(' ');
}
