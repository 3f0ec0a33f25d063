import {plainLine} from '../../model/text.ts';
import {caret} from '../pieces/chrome.ts';
import {fill, fitLine, fitText, type Line, line, span, spread} from '../pieces/line.ts';
import {type FinderEntry, finderEntries, whereBelow} from '../store/finder.ts';
import type {Layer, Model} from '../store/model.ts';

/** Help and palette: the same list, searchable and runnable; what cannot be run says why. */
export function finderLines(
	model: Model,
	layer: Extract<Layer, {kind: 'finder'}>,
	width: number,
	height: number,
): readonly Line[] {
	const isHelp = layer.mode === 'help';
	const entries = finderEntries(model, layer.mode, layer.field.text);
	const prompt = isHelp ? ' Search the keys: ' : ' Command: ';
	const where = isHelp ? `keys of the ${whereBelow(model)} screen` : 'actions';
	const head: readonly Line[] = [
		spread(
			[span(prompt, 'bold'), ...caret(layer.field.text, layer.field.at)],
			[span(`${entries.length} ${where} `, 'dim')],
			width,
		),
		[],
	];
	if (entries.length === 0) {
		return fill(
			[
				...head,
				line(`  Nothing has "${layer.field.text}" in it.`),
				[],
				line('  ctrl-u  clears the search   esc  closes'),
			],
			height,
		);
	}
	const room = height - head.length;
	const lines = isHelp ? twoColumns(entries, layer.index, width, room) : oneColumn(entries, layer.index, width, room);
	return fill([...head, ...lines], height);
}

function oneColumn(entries: readonly FinderEntry[], chosen: number, width: number, room: number): readonly Line[] {
	const top = Math.max(0, Math.min(chosen - room + 2, entries.length - room));
	const lines = entries.slice(top, top + room).map((entry, index) => entryLine(entry, top + index === chosen, width));
	const below = entries.length - top - room;
	return below > 0 ? [...lines.slice(0, -1), line(`   ${below + 1} more below`, 'dim')] : lines;
}

const keyWidth = 12;

function entryLine({action, reason, command}: FinderEntry, isChosen: boolean, width: number): Line {
	const left = [
		span(isChosen ? ' > ' : '   ', 'bold'),
		span(fitText(action.keys.slice(0, 2).join(' '), keyWidth), reason === undefined ? 'key' : 'dim'),
		span(fitText(action.title, 37), reason === undefined ? undefined : 'dim'),
	];
	const right = reason === undefined ? (command ?? '') : plainLine(reason);
	return fitLine([...left, span(` ${right}`, 'dim')], width);
}

/** Two columns of keys under their groups, filled from the top: most screens then fit without scrolling. */
function twoColumns(entries: readonly FinderEntry[], chosen: number, width: number, room: number): readonly Line[] {
	type Cell = {readonly entry?: FinderEntry; readonly index?: number; readonly title?: string};
	const cells: Cell[] = [];
	let group = '';
	for (const [index, entry] of entries.entries()) {
		if (entry.action.group !== group) {
			group = entry.action.group;
			cells.push({title: group.toUpperCase()});
		}
		cells.push({entry, index});
	}
	const columnWidth = Math.floor(width / 2);
	const isNarrow = width < 70;
	const columns = isNarrow ? 1 : 2;
	const at = cells.findIndex(cell => cell.index === chosen);
	const perPage = Math.max(1, room - 1) * columns;
	const page = Math.floor(Math.max(0, at) / perPage);
	const shown = cells.slice(page * perPage, (page + 1) * perPage);
	const height = Math.max(1, room - 1);
	const draw = (cell: Cell | undefined, cellWidth: number): Line => {
		if (!cell) return [span(' '.repeat(cellWidth))];
		if (!cell.entry) return [span(fitText(`   ${cell.title ?? ''}`, cellWidth), 'title')];
		const {action, reason} = cell.entry;
		const isChosen = cell.index === chosen;
		return [
			span(isChosen ? ' > ' : '   ', 'bold'),
			span(fitText(action.keys.join(' ') || '(:)', keyWidth), reason === undefined ? 'key' : 'dim'),
			span(fitText(` ${action.title}`, cellWidth - keyWidth - 3), reason === undefined ? undefined : 'dim'),
		];
	};
	const lines = Array.from(
		{length: Math.min(height, shown.length)},
		(_, row): Line =>
			columns === 1
				? draw(shown[row], width)
				: [...draw(shown[row], columnWidth), ...draw(shown[row + height], width - columnWidth)],
	);
	const pages = Math.ceil(cells.length / perPage);
	const entry = entries[chosen];
	const note =
		entry?.reason !== undefined ? `${entry.action.title}: ${plainLine(entry.reason)}` : (entry?.command ?? '');
	return [
		...fill(lines, height),
		spread([span(`   ${note}`, 'dim')], pages > 1 ? [span(`page ${page + 1} of ${pages} (pgdn) `, 'dim')] : [], width),
	];
}
