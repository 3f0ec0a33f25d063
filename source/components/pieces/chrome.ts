import {driverTitles} from '../../model/driver-name.ts';
import {formatSize} from '../../model/sizes.ts';
import {progressOf} from '../../model/switch-story.ts';
import {plainLine} from '../../model/text.ts';
import {actionsOn, type Need, textual} from '../keys/registry.ts';
import {namesShort} from '../store/instance-actions.ts';
import type {Model} from '../store/model.ts';
import {
	activeOperations,
	operationAtCursor,
	reasonAgainstNeed,
	screenLayer,
	targetsOf,
	topLayer,
	whereOf,
} from '../store/selectors.ts';
import {type Line, line, lineWidth, type Span, span, spread} from './line.ts';
import {clock} from './times.ts';

/** The two lines at the top: where one is, how it stands; then the screen, the filter, what is going on. */
export function headerLines(model: Model, width: number): readonly Line[] {
	return [spread(firstLeft(model, width), firstRight(model, width), width), secondLine(model, width)];
}

function firstLeft(model: Model, width: number): Line {
	const {link, facts} = model;
	const parts: Span[] = [span(' drover', 'bold')];
	const bar = span(' │ ', 'dim');
	if (facts) {
		const title = driverTitles[facts.driver.name];
		const {usable} = facts.driver.health;
		const isLive = link.kind === 'live';
		parts.push(bar, isLive && !usable ? span(`${title} unusable`, 'problem') : span(`${title} ${isLive ? 'ok' : '?'}`));
		if (width >= 60) parts.push(bar, span(plainLine(facts.host.name)));
		if (width >= 100) parts.push(bar, span(plainLine(model.user)));
	}
	const {story} = model;
	if (story && story.phase !== 'done' && link.kind === 'live') {
		parts.push(bar, span(`switching to ${driverTitles[story.to]} ${progressOf(story).percent}% (L)`, 'busy'));
	}
	if (link.kind === 'stale') {
		const tries = link.attempt > 0 ? `, try ${link.attempt}` : '';
		parts.push(bar, span(`STALE since ${clock(link.since)}${tries} (ctrl-r now)`, 'problem'));
	}
	if (link.kind === 'connecting') {
		parts.push(bar, span(link.attempt > 1 ? `connecting, try ${link.attempt} (ctrl-r now)` : 'connecting'));
	}
	return parts;
}

function firstRight({facts, roster, link, story}: Model, width: number): Line {
	if (!facts || (link.kind !== 'live' && width < 100)) return [];
	const count = roster.byId.size;
	const counts = `${count} ${count === 1 ? 'instance' : 'instances'}, ${roster.up} up `;
	if (width < 60) return line(`${count} inst, ${roster.up} up `);
	// The progress of a switch has the room of the host's figures.
	const isSwitching = story !== undefined && story.phase !== 'done';
	if (width < (isSwitching ? 140 : 110) || link.kind !== 'live') return line(counts);
	const {cpus, memoryAvailable, diskFree} = facts.host;
	return line(`${counts}  ${cpus} cpu  mem ${formatSize(memoryAvailable)} free  disk ${formatSize(diskFree)} free `);
}

/** What each screen is called in the second line. */
function crumb(model: Model): string {
	const top = topLayer(model);
	// A question is about the screen below it.
	const layer = top?.kind === 'confirm' ? screenLayer(model) : top;
	const name = (id: string) => plainLine(model.roster.byId.get(id)?.name ?? 'gone');
	switch (layer?.kind) {
		case undefined:
		case 'filter':
		case 'order':
		case 'confirm':
			return 'Instances';
		case 'menu':
			return `Instances > ${layer.ids.length === 1 ? name(layer.ids[0]!) : `${layer.ids.length} marked`} > actions`;
		case 'detail':
			return `Instances > ${name(layer.id)}`;
		case 'form':
			return layer.id === undefined
				? 'Instances > new'
				: `Instances > ${name(layer.id)} > ${layer.purpose === 'snapshot-edit' ? 'snapshot' : layer.purpose}`;
		case 'mounts':
		case 'networks':
		case 'snapshots':
			return `Instances > ${name(layer.id)} > ${layer.kind}`;
		case 'operations':
			return layer.isLogOpen ? `Operations > ${plainLine(operationAtCursor(model)?.title ?? '')}` : 'Operations';
		case 'alerts':
			return 'Alerts';
		case 'finder':
			return layer.mode === 'help' ? 'Help' : 'Commands';
		case 'drivers':
			return 'Drivers';
		case 'import':
			return 'Import from Multipass';
		case 'switch-plan':
			return 'Drivers > plan';
		case 'switch-run':
			return 'Switch';
		case 'doctor':
			return 'Doctor';
		case 'copy':
			return 'Copy';
	}
}

function secondLine(model: Model, width: number): Line {
	const {roster, table, operations} = model;
	const left: Span[] = [span(` ${crumb(model)}`, 'title')];
	const isTable = ['table', 'filter', 'order'].includes(whereOf(model));
	if (isTable && width >= 60) {
		const filter = plainLine(roster.filter);
		left.push(span(`   filter: ${filter === '' ? 'none' : filter}`));
		if (roster.order !== 'name') left.push(span(`   order: ${roster.order}`));
	}
	const parked = model.facts?.elsewhere.filter(scope => scope.count > 0) ?? [];
	if (isTable && width >= 80 && parked.length > 0 && roster.filter === '') {
		const counts = parked.map(({scope, count}) => `${count} parked in ${driverTitles[scope]}`).join(', ');
		left.push(span(`   ${counts} (w)`, 'dim'));
	}
	if (isTable && table.isPaused) left.push(span('   PAUSED (.)', 'problem'));
	if (table.marks.size > 0) left.push(span(`   ${table.marks.size} marked`, 'bold'));
	const active = activeOperations(model).length;
	const right: Span[] = [];
	if (operations.length > 0) right.push(span(`ops ${active} (b)   `, active > 0 ? 'busy' : undefined));
	right.push(
		model.unseenAlerts > 0
			? span(`alerts ${model.unseenAlerts} (!) `, 'problem')
			: span(width >= 60 ? 'alerts 0 (!) ' : ''),
	);
	return spread(left, right, width);
}

/** The reserved line: what was just done, what is being typed, what a key would act on. Nothing ever jumps for it. */
export function statusLine(model: Model): Line {
	const {toast, table, roster, link} = model;
	const layer = topLayer(model);
	if (toast) {
		const style = toast.level === 'problem' ? 'problem' : toast.level === 'good' ? 'good' : undefined;
		return [span(' '), span(toast.text, style)];
	}
	if (layer?.kind === 'filter') {
		const hits = `${roster.shown.length} of ${roster.byId.size}`;
		return [span(' / ', 'key'), ...caret(layer.field.text, layer.field.at), span(`   ${hits} match`, 'dim')];
	}
	if (link.kind === 'stale') {
		const why = plainLine(link.error?.message ?? 'The drover daemon is away').replace(/\.$/, '');
		return [span(` Shown is what was known at ${clock(link.since)}. ${why}.`, 'problem')];
	}
	if (!layer && table.marks.size > 0) {
		const names = namesShort(targetsOf(model).map(instance => instance.name));
		return [span(` ${table.marks.size} marked: actions apply to ${names}`, 'bold'), span('   esc unmarks', 'dim')];
	}
	if (!layer && roster.filter !== '') {
		return line(
			` ${roster.shown.length} of ${roster.byId.size} match "${plainLine(roster.filter)}"   esc clears the filter`,
		);
	}
	const driver = model.facts?.driver;
	if (!layer && driver && !driver.health.usable) {
		return [span(` ${plainLine(driver.health.summary)}`, 'problem'), span('   D doctor says what to do', 'dim')];
	}
	return [];
}

/** Text with a cursor in it, drawn reversed: the terminal's own cursor stays hidden. */
export function caret(text: string, at: number): Line {
	const characters = [...text];
	return [
		span(characters.slice(0, at).join(''), 'input'),
		span(characters[at] ?? ' ', 'selected'),
		span(characters.slice(at + 1).join(''), 'input'),
	];
}

/** Needs that come and go with each row are not looked at here: hints that jump from row to row help nobody. */
function isHinted(model: Model, needs: readonly Need[]): boolean {
	return needs.every(need => {
		if (need === 'connection') return model.link.kind === 'live';
		if (need === 'target') return model.roster.shown.length > 0;
		if (need === 'one-target') return model.roster.shown.length > 0 && model.table.marks.size <= 1;
		return reasonAgainstNeed(need, model) === undefined;
	});
}

/** The last line: keys that work here, taken from the registry. */
export function hintLine(model: Model, width: number): Line {
	const where = whereOf(model);
	const layer = topLayer(model);
	if (layer?.kind === 'confirm') {
		return line(
			layer.level === 1 ? ' y yes   any other key no' : ' enter acts only when the text matches   esc leaves',
			'dim',
		);
	}
	const isTextual = textual.includes(where);
	const actions = actionsOn(where)
		.filter(action => action.hint !== undefined && action.keys.length > 0 && isHinted(model, action.needs ?? []))
		.filter(action => !isTextual || (action.id !== 'screen.palette' && action.id !== 'screen.help'));
	const hint = (key: string, text: string): Line => [span(` ${key}`, 'key'), span(` ${text} `)];
	const isLast = (id: string) => id === 'screen.help' || id === 'screen.palette';
	// The way out and the way to all other keys are never what has no room.
	const last: Line[] = [
		...actions.filter(action => isLast(action.id)).map(action => hint(action.keys[0]!, action.hint!)),
		where === 'table' ? hint('q', 'quit') : hint('esc', where === 'filter' ? 'clear' : 'back'),
	];
	let room = width - last.reduce((sum, part) => sum + lineWidth(part), 0);
	const kept: Span[] = [];
	for (const action of actions) {
		if (isLast(action.id)) continue;
		const part = hint(action.keys[0]!, action.hint!);
		const size = lineWidth(part);
		if (size > room) continue;
		room -= size;
		kept.push(...part);
	}
	return [...kept, ...last.flat()];
}
