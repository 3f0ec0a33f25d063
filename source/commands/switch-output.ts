import {driverTitles} from '../model/driver-name.ts';
import {formatSize} from '../model/sizes.ts';
import type {PlanLine, SwitchPlan} from '../model/switch.ts';
import type {StoryLine, SwitchStory} from '../model/switch-story.ts';
import {plainLine} from '../model/text.ts';
import {compactTable, wrap} from './formats.ts';
import {timeText} from './time-text.ts';

/** What a switch would do, for reading. */
export function planText(plan: SwitchPlan): string {
	const [from, to] = [driverTitles[plan.from], driverTitles[plan.to]];
	return [
		`Switch from ${from} to ${to}`,
		'',
		section(`PARK, in ${from}`, plan.park.map(planRow), 'nothing'),
		section(`RESTORE, in ${to}`, plan.restore.map(planRow), 'nothing'),
		`Needs up to ${formatSize(plan.needsBytes)} of disk (${formatSize(plan.freeBytes)} free). If parking fails, ${from} stays.`,
		...plan.warnings.flatMap(warning => wrap(`Warning: ${plainLine(warning)}`, 79)),
		...plan.problems.flatMap(problem =>
			wrap(`Problem: ${plainLine(problem.message)} ${plainLine(problem.next ?? '')}`, 79),
		),
		'',
	].join('\n');
}

function planRow(line: PlanLine<string>): string[] {
	const cost = line.losesMemory ? 'memory is lost' : line.bytes === undefined ? '' : formatSize(line.bytes);
	return [`  ${line.name}`, line.was, line.method, cost, plainLine(line.note ?? '')];
}

/** What a switch did, or does. */
export function storyText(story: SwitchStory): string {
	const [from, to] = [driverTitles[story.from], driverTitles[story.to]];
	return [
		`Switch from ${from} to ${to}, begun ${timeText(story.startedAt)} by ${plainLine(story.by)}`,
		outcomeText(story),
		...(story.wasTakenUp ? ['drover was ended in the middle of it; the next start took it up.'] : []),
		'',
		section(
			`PARKED, in ${from}`,
			story.park.map(line => storyRow(line, story)),
			'nothing',
		),
		section(
			`RESTORED, in ${to}`,
			story.restore.map(line => storyRow(line, story)),
			'nothing',
		),
	].join('\n');
}

function outcomeText(story: SwitchStory): string {
	const took = story.endedAt === undefined ? '' : ` in ${((story.endedAt - story.startedAt) / 1000).toFixed(1)} s`;
	const reason = story.reason === undefined ? '' : `: ${plainLine(story.reason.message)}`;
	switch (story.outcome) {
		case 'switched':
			return `Switched${took}.`;
		case 'partly':
			return `Switched${took}, but not all could be brought back${reason}`;
		case 'stayed':
			return `STILL ON ${driverTitles[story.from].toUpperCase()}${reason}`;
		default:
			return `Under way: ${story.phase}.`;
	}
}

function storyRow(line: StoryLine, {phase}: SwitchStory): string[] {
	const took =
		line.startedAt === undefined || line.endedAt === undefined
			? ''
			: `${((line.endedAt - line.startedAt) / 1000).toFixed(1)} s`;
	const result =
		line.method === 'leave'
			? 'left'
			: line.result === 'done'
				? 'ok'
				: line.result === 'failed'
					? 'FAILED'
					: line.result === 'pending' && phase === 'done'
						? 'not done'
						: line.result;
	return [
		`  ${line.name}`,
		line.was,
		line.method,
		result,
		took,
		plainLine([line.error?.message, line.note].filter(Boolean).join('; ')),
	];
}

function section(title: string, rows: string[][], empty: string): string {
	return `${title}\n${rows.length === 0 ? `  ${empty}\n` : compactTable(rows)}`;
}
