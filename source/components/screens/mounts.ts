import {plainLine} from '../../model/text.ts';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import type {Model, MountsLayer} from '../store/model.ts';
import {mountAt, umountCommand} from '../store/mounts.ts';
import {pageHead, rowsAround} from './page.ts';

/** The directories of the host that an instance sees, and how to change them. */
export function mountsLines(model: Model, layer: MountsLayer, width: number, height: number): readonly Line[] {
	const instance = model.roster.byId.get(layer.id);
	const head = pageHead(instance, 'directories of this host that it sees', width);
	if (!instance) return fill(head, height);
	const mounts = instance.mounts ?? [];
	const chosen = mountAt(model, layer);
	if (!chosen) {
		return fill(
			[
				...head,
				[],
				line('  It has no mounts yet.'),
				[],
				line('  n  mounts a directory of this host'),
				[],
				...say('Same on the command line:', `drover mount DIRECTORY ${plainLine(instance.name)}:TARGET`, width),
			],
			height,
		);
	}
	const cell = Math.max(8, Math.floor((width - 3 - 2 - 8 - 3) / 2));
	const rows = mounts.map((mount): Line => {
		const isChosen = mount === chosen;
		return [
			span(isChosen ? ' > ' : '   ', 'bold'),
			span(fitText(plainLine(mount.source), cell)),
			span(' -> ', 'dim'),
			span(fitText(plainLine(mount.target), cell)),
			span(` ${mount.type}`, mount.problem === undefined ? undefined : 'problem'),
		];
	});
	const foot = [
		...(chosen.problem === undefined ? [] : [[], ...trouble(chosen.problem, width)]),
		[],
		...say('Unmounted on the command line (y copies):', umountCommand(instance.name, chosen), width),
	];
	const title: Line = [span(`   ${fitText('ON THIS HOST', cell)}    ${fitText('IN THE GUEST', cell)} TYPE`, 'title')];
	const room = Math.max(1, height - head.length - 1 - foot.length);
	return fill([...head, title, ...rowsAround(rows, mounts.indexOf(chosen), room), ...foot], height);
}

/** Why the guest does not see it as it should. */
function trouble(problem: string, width: number): readonly Line[] {
	return wrap(`Not as it should be: ${plainLine(problem)}.`, width - 2).map(part => line(` ${part}`, 'problem'));
}

function say(what: string, command: string, width: number): readonly Line[] {
	return [line(` ${what}`, 'dim'), ...wrap(command, width - 4).map(part => line(`   ${part}`))];
}
