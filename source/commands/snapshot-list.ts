import type {Engine} from '../engine/engine.ts';
import type {InstanceSnapshots} from '../model/snapshot.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext} from './command.ts';
import {columnWidth, csvLineQuoting, dataText, type Format, tableText} from './formats.ts';

/** `list --snapshots`: all snapshots there are, oldest first. */
export async function listSnapshots(format: Format, context: CommandContext): Promise<number> {
	const engine = await context.engine();
	const all = await inListOrder(await engine.snapshots({names: []}), engine);
	tellProblems(all, context);
	context.stdout.write(await text(format, all));
	return 0;
}

async function text(format: Format, all: readonly InstanceSnapshots[]): Promise<string> {
	switch (format) {
		case 'table':
			return table(all);
		case 'csv':
			return csv(all);
		case 'json':
			return dataText(format, {errors: [], info: jsonInfo(all)});
		case 'yaml':
			return dataText(format, {errors: [null], ...yamlInfo(all)});
	}
}

/** As `list` has the instances: the primary first. */
export async function inListOrder(
	all: readonly InstanceSnapshots[],
	engine: Engine,
): Promise<readonly InstanceSnapshots[]> {
	const order = (await engine.list()).map(({name}) => name);
	return [...all].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/** On stderr, a line an instance whose snapshots cannot be told; the others are told all the same. */
export function tellProblems(all: readonly InstanceSnapshots[], context: CommandContext): void {
	for (const {name, problem} of all) {
		if (problem !== undefined) context.stderr.write(`${name}: its snapshots cannot be used: ${plainLine(problem)}\n`);
	}
}

const some = (all: readonly InstanceSnapshots[]) => all.filter(({snapshots}) => snapshots.length > 0);

function jsonInfo(all: readonly InstanceSnapshots[]) {
	return Object.fromEntries(
		some(all).map(({name, snapshots}) => [
			name,
			Object.fromEntries(snapshots.map(each => [each.name, {parent: each.parent ?? '', comment: each.comment}])),
		]),
	);
}

function yamlInfo(all: readonly InstanceSnapshots[]) {
	return Object.fromEntries(
		some(all).map(({name, snapshots}) => [
			name,
			snapshots.map(each => ({
				[each.name]: [{parent: each.parent ?? null, comment: each.comment === '' ? null : each.comment}],
			})),
		]),
	);
}

function csv(all: readonly InstanceSnapshots[]): string {
	const lines = all.flatMap(({name, snapshots}) =>
		snapshots.map(each => csvLineQuoting([name, each.name, each.parent ?? ''], each.comment)),
	);
	return `Instance,Snapshot,Parent,Comment\n${lines.join('')}`;
}

function table(all: readonly InstanceSnapshots[]): string {
	const rows = all.flatMap(({name, snapshots}) =>
		snapshots.map(each => [name, each.name, each.parent ?? '--', shortComment(each.comment)]),
	);
	if (rows.length === 0) return 'No snapshots found.\n';
	const head = ['Instance', 'Snapshot', 'Parent', 'Comment'];
	const width = (column: number) => columnWidth([head, ...rows].map(row => row[column]!));
	return tableText([head, ...rows], [width(0), width(1), width(2)]);
}

const longestComment = 50;

/** The first line of a comment, and of that what fits. Rule: Multipass. */
function shortComment(comment: string): string {
	const [first = '', ...more] = comment.split('\n');
	const characters = [...plainLine(first)];
	if (characters.length === 0) return more.length === 0 ? '--' : '…';
	const isCut = more.length > 0 || characters.length > longestComment;
	if (!isCut) return characters.join('');
	return `${characters.slice(0, longestComment - 1).join('')}…`;
}
