import {driverTitles} from '../../model/driver-name.ts';
import {progressOf, type StoryLine, type SwitchStory} from '../../model/switch-story.ts';
import {plainLine} from '../../model/text.ts';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import type {Model, SwitchRunLayer} from '../store/model.ts';

const words: Readonly<Record<SwitchStory['phase'], string>> = {
	check: 'checking',
	park: 'parking',
	verify: 'verifying that all rests',
	commit: 'changing the driver',
	restore: 'bringing back',
	undo: 'going back: bringing up again what was parked',
	done: 'done',
};

/** A switch as it happens, or as it was: one line for each instance that something is done to. */
export function switchRunLines(model: Model, layer: SwitchRunLayer, width: number, height: number): readonly Line[] {
	const {story} = model;
	const {asked} = layer;
	if (asked && asked.before === story?.id) {
		return fill([[], line(`  Asking for the switch to ${driverTitles[asked.to]} ...`)], height);
	}
	if (!story) return fill([[], line('  There was no switch yet. w shows the drivers.')], height);
	const [from, to] = [driverTitles[story.from], driverTitles[story.to]];
	const isOver = story.phase === 'done';
	const body = [
		...sideLines(`PARKED in ${from}`, story.park, isOver, width),
		[],
		...sideLines(`RESTORED in ${to}`, story.restore, isOver, width),
		...choiceLines(story, width),
	];
	const head = [line(` ${from} -> ${to}`, 'title'), ...summary(story, width), []];
	const room = Math.max(1, height - head.length - 1);
	const top = Math.max(0, Math.min(layer.top, body.length - room));
	const more = body.length - top - room;
	return fill(
		[...head, ...body.slice(top, top + room), ...(more > 0 ? [line(`  ${more} more lines below (j)`, 'dim')] : [])],
		height,
	);
}

function summary(story: SwitchStory, width: number): readonly Line[] {
	const say = (text: string, style?: 'good' | 'problem' | 'busy') =>
		wrap(text, width - 2).map(part => line(` ${part}`, style));
	const took = story.endedAt === undefined ? '' : ` in ${((story.endedAt - story.startedAt) / 1000).toFixed(1)} s`;
	const taken = story.wasTakenUp ? ' drover was ended in the middle of it; the next start took it up.' : '';
	const by = `begun by ${plainLine(story.by)}.${taken}`;
	switch (story.outcome) {
		case 'switched':
			return say(`Switched${took}, ${by}`, 'good');
		case 'partly':
			return say(`Switched${took}, but not all could be brought back; ${by}`, 'busy');
		case 'stayed':
			return say(
				`STILL ON ${driverTitles[story.from].toUpperCase()}. ${plainLine(story.reason?.message ?? '')} ${by}`,
				'problem',
			);
		default: {
			const {ended, total, percent} = progressOf(story);
			const width40 = Math.max(10, Math.min(60, width - 30));
			const full = Math.round((percent / 100) * width40);
			return [
				...say(`${words[story.phase]}: ${ended} of ${total} instances, ${by}`, 'busy'),
				line(` [${'#'.repeat(full)}${'.'.repeat(width40 - full)}] ${percent}%`),
				...say('It goes on when you leave this screen, quit, or the connection drops.'),
			];
		}
	}
}

function sideLines(title: string, rows: readonly StoryLine[], isOver: boolean, width: number): readonly Line[] {
	const busy = rows.filter(row => row.method !== 'leave');
	const left = rows.length - busy.length;
	return [
		line(` ${fitText(title, 23)}${fitText('WAS', 12)}${fitText('HOW', 9)}${fitText('RESULT', 18)}TIME   NOTE`, 'title'),
		...busy.flatMap(row => storyLine(row, isOver, width)),
		...(left > 0 ? [line(`   ${left} left as ${left === 1 ? 'it is' : 'they are'}`, 'dim')] : []),
		...(rows.length === 0 ? [line('   nothing', 'dim')] : []),
	];
}

function storyLine(row: StoryLine, isOver: boolean, width: number): readonly Line[] {
	const style =
		row.result === 'done' ? 'good' : row.result === 'failed' ? 'problem' : row.result === 'running' ? 'busy' : 'dim';
	const result =
		row.result === 'done'
			? 'ok'
			: row.result === 'failed'
				? 'FAILED'
				: row.result === 'pending'
					? isOver
						? 'not done'
						: 'waits'
					: `${row.percent === undefined ? '' : `${Math.floor(row.percent)}% `}${plainLine(row.stage ?? 'working')}`;
	const took =
		row.startedAt === undefined || row.endedAt === undefined
			? ''
			: `${((row.endedAt - row.startedAt) / 1000).toFixed(1)} s`;
	const note = plainLine([row.error?.message, row.note].filter(Boolean).join('; '));
	const first: Line = [
		span(`   ${fitText(plainLine(row.name), 21)}`),
		span(fitText(row.was, 12)),
		span(fitText(row.method, 9)),
		span(fitText(result, 18), style),
		span(fitText(took, 7)),
	];
	const room = width - 71;
	if (note === '' || note.length <= room) return [[...first, span(note, style)]];
	return [first, ...wrap(note, width - 8).map(part => line(`      ${part}`, style))];
}

/** What can be done about those that could not be brought back; doing nothing loses nothing. */
function choiceLines(story: SwitchStory, width: number): readonly Line[] {
	if (story.outcome !== 'partly') return [];
	const failed = story.restore.filter(row => row.result === 'failed').map(row => plainLine(row.name));
	return [
		[],
		...wrap(
			`${failed.length} stay${failed.length === 1 ? 's' : ''} parked, with memory and disk as they were: ${failed.join(', ')}.`,
			width - 4,
		).map(part => line(`  ${part}`)),
		...wrap('esc, then on its row: s tries again, enter offers booting without the saved memory.', width - 4).map(
			part => line(`  ${part}`),
		),
	];
}
