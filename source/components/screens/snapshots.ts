import type {InstanceView} from '../../model/instance.ts';
import {formatSize} from '../../model/sizes.ts';
import type {SnapshotView} from '../../model/snapshot.ts';
import {plainLine} from '../../model/text.ts';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import {moment} from '../pieces/times.ts';
import type {Model, SnapshotsLayer} from '../store/model.ts';
import {fullName, snapshotAt, treeRows, whyNoSnapshot} from '../store/snapshots.ts';
import {pageHead, rowsAround} from './page.ts';

/** The tree of an instance's snapshots, and how to change it. */
export function snapshotsLines(model: Model, layer: SnapshotsLayer, width: number, height: number): readonly Line[] {
	const instance = model.roster.byId.get(layer.id);
	const head = pageHead(instance, 'snapshots of its disk', width);
	if (!instance) return fill(head, height);
	const trouble = layer.error?.message ?? layer.list?.problem;
	if (trouble !== undefined) {
		return fill(
			[...head, [], ...wrap(plainLine(trouble), width - 4).map(part => line(`  ${part}`, 'problem'))],
			height,
		);
	}
	if (!layer.list) return fill([...head, [], line('  loading ...', 'dim')], height);
	const chosen = snapshotAt(layer);
	const refusals = refusalLines(model, instance, width);
	if (!chosen) {
		const command = `drover snapshot ${plainLine(instance.name)}`;
		const start = [...head, [], line('  It has no snapshots yet.'), [], line('  n  takes one'), []];
		return fill([...start, ...say('Same on the command line:', command, width), ...refusals], height);
	}
	const tree = treeRows(layer.list);
	const cell = Math.max(12, Math.min(40, width - 3 - 18 - 20));
	const rows = tree.map(({branch, snapshot}): Line => {
		if (!snapshot) return [span('   '), span(branch, 'dim'), span('* now', 'good'), span('   as it is', 'dim')];
		const label = `${branch}${plainLine(snapshot.name)}`;
		return [
			span(snapshot === chosen ? ' > ' : '   ', 'bold'),
			span(fitText(label, cell)),
			span(` ${moment(Date.parse(snapshot.createdAt))}`, 'dim'),
			span(`  ${plainLine(snapshot.comment.split('\n')[0] ?? '')}`),
		];
	});
	const foot = [
		[],
		...aboutLines(chosen, width),
		...say('Restored on the command line (y copies):', `drover restore ${fullName(instance, chosen)}`, width),
		...refusals,
	];
	const room = Math.max(3, height - head.length - foot.length);
	const at = tree.findIndex(row => row.snapshot === chosen);
	return fill([...head, ...rowsAround(rows, at, room), ...foot], height);
}

function aboutLines({state, hardware, comment, mounts}: SnapshotView, width: number): readonly Line[] {
	const {cpus, memory, disk} = hardware;
	const sizes = `${cpus} cpu  ${formatSize(memory)} memory  ${formatSize(disk)} disk`;
	const counted = mounts.length === 0 ? '' : `  ${mounts.length} ${mounts.length === 1 ? 'mount' : 'mounts'}`;
	const how = state === 'Running' ? 'while it ran: the disk as after a power cut' : 'while it was stopped';
	const lines = comment.split('\n').slice(1, 4);
	return [
		line(fitText(` Taken ${how}.`, width), 'dim'),
		line(fitText(` ${sizes}${counted}`, width), 'dim'),
		...lines.map(text => line(`   ${fitText(plainLine(text), width - 4)}`)),
	];
}

/** What cannot be done as the instance is now; whatever is the same reason is told once. */
function refusalLines(model: Model, instance: InstanceView, width: number): readonly Line[] {
	const taken = whyNoSnapshot(model, instance, 'snapshot');
	const restored = whyNoSnapshot(model, instance, 'restore');
	const text =
		taken !== undefined
			? `None can be taken or restored now: ${taken}.`
			: restored === undefined
				? undefined
				: `None can be restored now: ${restored}.`;
	return text === undefined ? [] : wrap(plainLine(text), width - 2).map(part => line(` ${part}`, 'problem'));
}

function say(what: string, command: string, width: number): readonly Line[] {
	return [line(` ${what}`, 'dim'), ...wrap(command, width - 4).map(part => line(`   ${part}`))];
}
