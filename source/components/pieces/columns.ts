import type {InstanceView} from '../../model/instance.ts';
import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {addressOf} from '../store/filter.ts';
import {fitText, type Line, type Span, span} from './line.ts';
import {stateLooks} from './theme.ts';

type ColumnName = 'NAME' | 'STATE' | 'IMAGE' | 'ADDRESS' | 'CPU' | 'MEM' | 'DISK';

export type Column = {readonly name: ColumnName; readonly width: number; readonly align: 'left' | 'right'};

type Rule = {
	readonly name: Exclude<ColumnName, 'NAME'>;
	readonly width: number;
	readonly align: 'left' | 'right';
	/** The table's width from which the column is shown. */
	readonly from: number;
};

/** In the order they stand; NAME and STATE always stay, what matters least leaves first. */
const rules: readonly Rule[] = [
	{name: 'STATE', width: 18, align: 'left', from: 0},
	{name: 'IMAGE', width: 10, align: 'left', from: 72},
	{name: 'ADDRESS', width: 15, align: 'left', from: 52},
	{name: 'CPU', width: 3, align: 'right', from: 46},
	{name: 'MEM', width: 6, align: 'right', from: 62},
	{name: 'DISK', width: 6, align: 'right', from: 84},
];

/** Mark, cursor, space. */
export const gutter = 3;
const narrowestName = 10;
const widestName = 34;

/** Which columns fitText, and how wide they are. Depends on the width alone, so that nothing moves when values change. */
export function columnsFor(width: number): readonly Column[] {
	const chosen = rules.filter(rule => width >= rule.from);
	let fixed = chosen.reduce((sum, rule) => sum + rule.width + 1, gutter);
	let columns: readonly Rule[] = chosen;
	if (width - fixed < narrowestName) {
		// The smallest terminals: a shorter state is still a word.
		columns = chosen.map(rule => (rule.name === 'STATE' ? {...rule, width: 14} : rule));
		fixed -= 4;
	}
	const name = Math.min(widestName, Math.max(narrowestName, width - fixed));
	return [{name: 'NAME', width: name, align: 'left'}, ...columns];
}

/** The state in words, with the progress of the work under way: `Starting 52%`. */
export function stateText(instance: InstanceView): string {
	const {sign} = stateLooks[instance.state];
	const percent = instance.operation?.percent;
	const progress = percent === undefined ? '' : ` ${Math.floor(percent)}%`;
	const isAtWork = instance.operation !== undefined;
	const word =
		isAtWork && instance.state === 'Stopped' && instance.operation?.kind === 'launch' ? 'Launching' : instance.state;
	return `${sign} ${word}${progress}`;
}

function cellText(instance: InstanceView, column: ColumnName): string {
	switch (column) {
		case 'NAME':
			return plainLine(instance.name);
		case 'STATE':
			return stateText(instance);
		case 'IMAGE':
			return plainLine(instance.image.release);
		case 'ADDRESS':
			return plainLine(addressOf(instance)) || '-';
		case 'CPU':
			return instance.state === 'Broken' ? '-' : String(instance.cpus);
		case 'MEM':
			return instance.state === 'Broken' ? '-' : formatSize(instance.memory);
		case 'DISK':
			return instance.state === 'Broken' ? '-' : formatSize(instance.disk);
	}
}

export function titleLine(columns: readonly Column[], ordered: ColumnName | undefined): Line {
	return [
		span(' '.repeat(gutter)),
		...columns.map((column, index) => {
			const title = column.name === ordered ? `${column.name} ↑` : column.name;
			return span(`${index === 0 ? '' : ' '}${fitText(title, column.width, column.align)}`, 'title');
		}),
	];
}

/** A row of the table: what changes often stands at its right end. */
export function rowLine(
	instance: InstanceView,
	columns: readonly Column[],
	{isCursor, isMarked}: {isCursor: boolean; isMarked: boolean},
): Line {
	const style = stateLooks[instance.state].style;
	const isDim = instance.state === 'Deleted';
	const cells: Span[] = columns.map((column, index) => {
		const text = `${index === 0 ? '' : ' '}${fitText(cellText(instance, column.name), column.width, column.align)}`;
		if (column.name === 'STATE') return span(text, style);
		return span(text, isDim ? 'dim' : undefined);
	});
	return [
		span(isMarked ? 'm' : ' ', 'bold'),
		span(isCursor ? '>' : ' ', isCursor ? 'bold' : undefined),
		span(' '),
		...cells,
	];
}
