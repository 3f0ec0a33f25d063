import type {InstanceView} from '../../model/instance.ts';
import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {addressOf} from '../store/filter.ts';
import {memoryPercent, type Usage} from '../store/usage.ts';
import {fitText, type Line, type Span, span} from './line.ts';
import {stateLooks} from './theme.ts';

type ColumnName = 'NAME' | 'STATE' | 'IMAGE' | 'ADDRESS' | 'MEMBER' | 'CPU' | 'MEM' | 'DISK' | 'CPU%' | 'MEM%';

export type Column = {readonly name: ColumnName; readonly width: number; readonly align: 'left' | 'right'};

/** Columns that are there for some drivers only. */
export type Extras = {
	/** What instances use. */
	readonly usage: boolean;
	/** Where in a cluster they live. */
	readonly member: boolean;
};

type Rule = {
	readonly name: Exclude<ColumnName, 'NAME'>;
	readonly width: number;
	readonly align: 'left' | 'right';
	/** The table's width from which the column is shown. */
	readonly from: number;
	readonly extra?: keyof Extras;
};

/** In the order they stand; NAME and STATE always stay, what changes often is at the end. */
const rules: readonly Rule[] = [
	{name: 'STATE', width: 18, align: 'left', from: 0},
	{name: 'IMAGE', width: 10, align: 'left', from: 72},
	{name: 'ADDRESS', width: 15, align: 'left', from: 52},
	{name: 'MEMBER', width: 10, align: 'left', from: 90, extra: 'member'},
	{name: 'CPU', width: 3, align: 'right', from: 46},
	{name: 'MEM', width: 6, align: 'right', from: 62},
	{name: 'DISK', width: 6, align: 'right', from: 84},
	{name: 'CPU%', width: 4, align: 'right', from: 70, extra: 'usage'},
	{name: 'MEM%', width: 4, align: 'right', from: 70, extra: 'usage'},
];

/** What makes room for the columns of {@link Extras}, in this order: the pane has all of it. */
const yielding: readonly ColumnName[] = ['IMAGE', 'DISK', 'MEMBER'];

/** Mark, cursor, space. */
export const gutter = 3;
const narrowestName = 10;
/** What extra columns leave of the name at least. */
const comfortableName = 16;
const widestName = 34;

const takenBy = (columns: readonly Rule[]) => columns.reduce((sum, rule) => sum + rule.width + 1, gutter);

/**
 * Which columns fit, and how wide they are. Depends on the width and on which kinds of column there are at all, so that
 * nothing moves when values change.
 */
export function columnsFor(width: number, {usage, member}: Extras = {usage: false, member: false}): readonly Column[] {
	const has: Readonly<Record<keyof Extras, boolean>> = {usage, member};
	let columns = rules.filter(rule => width >= rule.from && (rule.extra === undefined || has[rule.extra]));
	for (const name of columns.some(rule => rule.extra !== undefined) ? yielding : []) {
		if (width - takenBy(columns) < comfortableName) columns = columns.filter(rule => rule.name !== name);
	}
	if (width - takenBy(columns) < narrowestName) {
		// The smallest terminals: a shorter state is still a word.
		columns = columns.map(rule => (rule.name === 'STATE' ? {...rule, width: 14} : rule));
	}
	const name = Math.min(widestName, Math.max(narrowestName, width - takenBy(columns)));
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

const percentText = (value: number | undefined) => (value === undefined ? '-' : `${value}%`);

function cellText(instance: InstanceView, column: ColumnName, usage: Usage | undefined): string {
	switch (column) {
		case 'NAME':
			return plainLine(instance.name);
		case 'STATE':
			return stateText(instance);
		case 'IMAGE':
			return plainLine(instance.image.release);
		case 'ADDRESS':
			return plainLine(addressOf(instance)) || '-';
		case 'MEMBER':
			return plainLine(instance.member ?? '') || '-';
		case 'CPU%':
			return percentText(usage?.cpu);
		case 'MEM%':
			return percentText(usage && memoryPercent(usage));
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
	{isCursor, isMarked, usage}: {isCursor: boolean; isMarked: boolean; usage?: Usage | undefined},
): Line {
	const style = stateLooks[instance.state].style;
	const isDim = instance.state === 'Deleted';
	const cells: Span[] = columns.map((column, index) => {
		const text = `${index === 0 ? '' : ' '}${fitText(cellText(instance, column.name, usage), column.width, column.align)}`;
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
