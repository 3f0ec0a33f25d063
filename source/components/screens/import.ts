import {driverTitles} from '../../model/driver-name.ts';
import type {ImportLine, ImportPlan} from '../../model/import-plan.ts';
import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import {importCommand} from '../store/importing.ts';
import type {ImportLayer} from '../store/model.ts';
import {rowsAround} from './page.ts';

/** What an import would do to each instance of Multipass's, before it is said yes to. */
export function importLines(layer: ImportLayer, width: number, height: number): readonly Line[] {
	const {plan, error} = layer;
	if (error) {
		const next = error.next ? [[], ...wrap(plainLine(error.next), width - 4).map(part => line(`  ${part}`))] : [];
		const text = wrap(`No plan: ${plainLine(error.message)}`, width - 4).map(part => line(`  ${part}`, 'problem'));
		return fill([[], ...text, ...next], height);
	}
	if (!plan) return fill([[], line('  Looking at what Multipass has here ...')], height);
	const foot = footLines(layer, plan, width);
	const head = [
		line(` Multipass -> ${driverTitles[plan.driver]}     nothing has been changed yet`, 'title'),
		line('─'.repeat(width), 'dim'),
	];
	const rows =
		plan.instances.length === 0
			? wrap(emptyText(plan), width - 4).map(part => line(`  ${part}`))
			: plan.instances.map((each, index) => rowOf(each, index === chosenIndex(layer, plan)));
	// On the smallest screens the list matters most.
	const room = Math.max(3, height - head.length - foot.length);
	return fill([...head, ...fill(rowsAround(rows, chosenIndex(layer, plan), room), room), ...foot], height);
}

function chosenIndex({index}: ImportLayer, {instances}: ImportPlan): number {
	return Math.max(0, Math.min(index, instances.length - 1));
}

function emptyText({directory, lookedAt}: ImportPlan): string {
	return directory === undefined
		? `No data of Multipass was found in ${lookedAt.map(plainLine).join(' or ')}.`
		: `Multipass has no instances in ${plainLine(directory)}.`;
}

function rowOf(each: ImportLine, isChosen: boolean): Line {
	const [word, style] = {
		import: ['import', 'good'] as const,
		here: ['is here', 'dim'] as const,
		skip: ['stays', 'busy'] as const,
	}[each.verdict];
	return [
		span(isChosen ? ' > ' : '   ', 'bold'),
		span(fitText(plainLine(each.ref), 20)),
		span(` ${fitText(plainLine(each.state), 10)} `),
		span(fitText(word, 8), style),
		span(
			each.verdict === 'import'
				? `${formatSize(each.bytes)}, ${each.cpus} cpu, ${formatSize(each.memory)} memory`
				: plainLine(each.reason ?? ''),
			'dim',
		),
	];
}

/** About the one that is chosen, and about all. */
function footLines(layer: ImportLayer, plan: ImportPlan, width: number): readonly Line[] {
	const say = (text: string, style?: 'problem' | 'busy') => wrap(text, width - 4).map(part => line(`  ${part}`, style));
	const chosen = plan.instances[chosenIndex(layer, plan)];
	const about = [
		...(chosen?.verdict === 'skip' ? [`${chosen.ref}: ${chosen.reason ?? ''}. ${chosen.next ?? ''}`] : []),
		...(chosen?.notes ?? []),
	];
	return [
		line('─'.repeat(width), 'dim'),
		...about.flatMap(text => say(plainLine(text))),
		...plan.problems.flatMap(text => say(plainLine(text), 'problem')),
		...say(
			`Needs up to ${formatSize(plan.needsBytes)} of disk (${formatSize(plan.freeBytes)} free). The originals stay.`,
		),
		...say(`The same on the command line: ${importCommand}`),
	];
}
