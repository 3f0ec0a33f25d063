import type {Metrics} from '../../model/metrics.ts';
import {isUp} from '../../model/state.ts';
import {isTiny, tableHeight, usageFrom} from '../pieces/layout.ts';
import {step} from './layers.ts';
import type {Message, Model, Step} from './model.ts';
import {screenLayer} from './selectors.ts';
import {type Gauge, mostPoints, noMetrics, steadyUsage, usageBetween} from './usage.ts';

/*
 * What instances use changes all the time, so showing it is the one thing that breaks "0 bytes while idle". The trade:
 * - only what is on the screen is asked for, and only while it is: one instance every 2 s on its page, the running rows
 *   every 5 s in a table wide enough to have the columns; on every other screen, while a table is paused, with the line
 *   to the daemon down, and for a driver that has no metrics, no timer runs and nothing is written;
 * - values are rounded and stay what they were until they have moved clearly, so an idle guest costs next to nothing;
 * - a busy one costs some ten bytes for each value that changed, since only changed cells are written.
 */

const pageMs = 2000;
const tableMs = 5000;
/** Two samples make a rate: the second comes soon after the first. */
const firstMs = 1000;
/** After a question that was not answered. */
const failedMs = 10_000;

type Wanted = {readonly of: string; readonly names: readonly string[]; readonly everyMs: number};

/** Whose use is on the screen now. */
export function wantedSamples(model: Model): Wanted | undefined {
	const {facts, link, roster, table, size} = model;
	if (link.kind !== 'live' || isTiny(size) || !facts?.driver.features.includes('metrics')) return undefined;
	const screen = screenLayer(model);
	if (screen?.kind === 'detail') {
		const instance = roster.byId.get(screen.id);
		if (screen.tab !== 0 || !instance || !isUp(instance.state)) return undefined;
		return {of: `page ${screen.id}`, names: [instance.name], everyMs: pageMs};
	}
	if (screen !== undefined || table.isPaused || size.columns < usageFrom) return undefined;
	const rows = roster.shown.slice(table.top, table.top + tableHeight(size));
	const names = rows.flatMap(id => {
		const instance = roster.byId.get(id);
		return instance && isUp(instance.state) ? [instance.name] : [];
	});
	return names.length === 0 ? undefined : {of: `table ${facts.driver.name}`, names, everyMs: tableMs};
}

/** Begins, changes and ends the asking as the screen changes. To be applied to the outcome of every message. */
export function withSampling({model, effects}: Step): Step {
	const of = wantedSamples(model)?.of;
	const {metrics} = model;
	if (of === metrics.of) return {model, effects};
	const turn = metrics.turn + 1;
	if (of === undefined) return {model: {...model, metrics: {...noMetrics, turn}}, effects};
	const gauges = new Map([...metrics.gauges].map(([name, gauge]) => [name, {...gauge, points: []}]));
	return {
		model: {...model, metrics: {of, turn, gauges}},
		effects: [...effects, {type: 'sample-later', turn, inMs: 0}],
	};
}

/** It is time for the next sample. */
export function onSampleDue(model: Model, turn: number): Step {
	const wanted = turn === model.metrics.turn ? wantedSamples(model) : undefined;
	return wanted ? step(model, {type: 'sample', turn, names: wanted.names}) : step(model);
}

/** Samples have come; who is missing in them did not answer, and is no longer shown with what was true before. */
export function onSamples(model: Model, {turn, samples}: Extract<Message, {type: 'samples'}>): Step {
	const wanted = turn === model.metrics.turn ? wantedSamples(model) : undefined;
	if (!wanted) return step(model);
	const hardware = new Map([...model.roster.byId.values()].map(instance => [instance.name, instance]));
	const gauges = new Map<string, Gauge>();
	for (const name of wanted.names) {
		const sample = samples?.[name];
		const instance = hardware.get(name);
		if (!sample || !instance) continue;
		// Where the hypervisor knows no limit, what the guest was given is one.
		const whole = {...sample, memoryTotal: sample.memoryTotal ?? instance.memory};
		gauges.set(name, nextGauge(model.metrics.gauges.get(name), whole, instance.cpus, wanted));
	}
	const isNew = [...gauges.keys()].some(name => !model.metrics.gauges.has(name));
	const inMs = samples === undefined ? failedMs : isNew ? firstMs : wanted.everyMs;
	return step({...model, metrics: {...model.metrics, gauges}}, {type: 'sample-later', turn, inMs});
}

function nextGauge(before: Gauge | undefined, sample: Metrics, cpus: number, {of}: Wanted): Gauge {
	const next = usageBetween(before?.last, sample, cpus);
	const shown = steadyUsage(before?.shown, next);
	// The first one has no rates yet: it would be a gap in the graph.
	const isPoint = of.startsWith('page') && next.cpu !== undefined;
	const points = isPoint ? [...(before?.points ?? []), shown].slice(-mostPoints) : (before?.points ?? []);
	return {last: sample, shown, points};
}
