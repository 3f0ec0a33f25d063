import {driverTitles} from '../../model/driver-name.ts';
import {formatSize} from '../../model/sizes.ts';
import type {PlanLine, SwitchPlan} from '../../model/switch.ts';
import {plainLine} from '../../model/text.ts';
import {fill, fitLine, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import type {SwitchPlanLayer} from '../store/model.ts';
import {switchCommand} from '../store/switching.ts';

/** Columns from which both scopes stand side by side. */
const twoFrom = 100;

/** What a switch would do to each instance of both scopes, what it costs, and what becomes of it when it fails. */
export function switchPlanLines(layer: SwitchPlanLayer, width: number, height: number): readonly Line[] {
	const {plan, error, to} = layer;
	if (error) {
		return fill(
			[
				[],
				...wrap(`No plan: ${plainLine(error.message)}`, width - 4).map(part => line(`  ${part}`, 'problem')),
				...(error.next ? [[], ...wrap(plainLine(error.next), width - 4).map(part => line(`  ${part}`))] : []),
			],
			height,
		);
	}
	if (!plan) return fill([[], line(`  Looking at what a switch to ${driverTitles[to]} would do ...`)], height);
	const notes = noteLines(layer, plan, width);
	const room = Math.max(3, height - notes.length - 3);
	const head = line(
		` ${driverTitles[plan.from]} -> ${driverTitles[plan.to]}     nothing has been changed yet`,
		'title',
	);
	const sides =
		width >= twoFrom
			? besides(
					sideLines(layer, plan, 'park', Math.floor(width / 2) - 2, room),
					sideLines(layer, plan, 'restore', Math.floor(width / 2) - 2, room),
					width,
				)
			: [...sideLines(layer, plan, layer.side, width, room - 1), otherSide(layer, plan)];
	return fill(
		[head, line('─'.repeat(width), 'dim'), ...fill(sides, room), line('─'.repeat(width), 'dim'), ...notes],
		height,
	);
}

function sideLines(
	layer: SwitchPlanLayer,
	plan: SwitchPlan,
	side: 'park' | 'restore',
	width: number,
	room: number,
): readonly Line[] {
	const rows = plan[side];
	const isHere = layer.side === side;
	const title =
		side === 'park'
			? `PARK now, in ${driverTitles[plan.from]} (${rows.length})`
			: `RESTORE then, in ${driverTitles[plan.to]} (${rows.length})`;
	const top = isHere ? Math.max(0, Math.min(layer.index - room + 3, rows.length - room + 2)) : 0;
	const shown = rows.slice(top, top + room - 2);
	const more = rows.length - top - shown.length;
	return [
		line(` ${title}${width < twoFrom && !isHere ? ' (tab)' : ''}`, isHere ? 'title' : 'dim'),
		...(rows.length === 0 ? [line('   nothing', 'dim')] : []),
		// What is forced is the stopping: how it comes back is another matter.
		...shown.map((row, offset) =>
			planLine(row, isHere && top + offset === layer.index, side === 'park' && layer.force.has(row.name)),
		),
		...(more > 0 ? [line(`   ${more} more below (j)`, 'dim')] : []),
	].map(content => fitLine(content, width));
}

/** Where only one side has room: what the other one is, and how to get there. */
function otherSide({side}: SwitchPlanLayer, plan: SwitchPlan): Line {
	const [word, driver, rows] =
		side === 'park'
			? (['RESTORE then', plan.to, plan.restore] as const)
			: (['PARK now', plan.from, plan.park] as const);
	return line(` ${word}, in ${driverTitles[driver]} (${rows.length}): tab`, 'dim');
}

function planLine(row: PlanLine<string>, isCursor: boolean, isForced: boolean): Line {
	const method = isForced ? 'cut power' : row.method;
	const cost = row.losesMemory
		? 'memory is lost'
		: row.bytes === undefined || row.method === 'leave'
			? ''
			: formatSize(row.bytes);
	return [
		span(isCursor ? ' > ' : '   '),
		span(fitText(plainLine(row.name), 17)),
		span(fitText(row.was, 12), row.method === 'leave' ? 'dim' : undefined),
		span(fitText(method, 10), row.losesMemory ? 'problem' : row.method === 'leave' ? 'dim' : 'good'),
		span(cost, row.losesMemory ? 'problem' : undefined),
		span(row.note ? `  ${plainLine(row.note)}` : '', 'dim'),
	];
}

function besides(left: readonly Line[], right: readonly Line[], width: number): readonly Line[] {
	const half = Math.floor(width / 2) - 2;
	return Array.from({length: Math.max(left.length, right.length)}, (_, index) => [
		...fitLine(left[index] ?? [], half),
		span(' │ ', 'dim'),
		...fitLine(right[index] ?? [], half),
	]);
}

function noteLines(layer: SwitchPlanLayer, plan: SwitchPlan, width: number): readonly Line[] {
	const say = (text: string, style?: 'problem' | 'busy') => wrap(text, width - 4).map(part => line(`  ${part}`, style));
	const from = driverTitles[plan.from];
	return [
		...plan.problems.flatMap(problem => [
			...say(plainLine(problem.message), 'problem'),
			...(problem.next ? say(plainLine(problem.next)) : []),
		]),
		...plan.warnings.flatMap(warning => say(plainLine(warning), 'busy')),
		...say(
			`Needs up to ${formatSize(plan.needsBytes)} of disk (${formatSize(plan.freeBytes)} free). If parking fails, ${from} stays and what was parked comes up again.`,
		),
		...say(`The same on the command line: ${switchCommand(layer)}`),
	];
}
