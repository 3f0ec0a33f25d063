import {isEnded, type OperationItem, type OperationView} from '../../model/operation.ts';
import {plainLine} from '../../model/text.ts';
import {bar} from '../pieces/box.ts';
import {fill, fitText, type Line, line, type StyleName, span, spread, wrap} from '../pieces/line.ts';
import {clock, duration} from '../pieces/times.ts';
import type {Layer, Model} from '../store/model.ts';
import {activeOperations, operationAtCursor, operationRows} from '../store/selectors.ts';

type Pane = Extract<Layer, {kind: 'operations'}>;

/** Work under way and done: it belongs to the daemon and goes on without this screen. */
export function operationsLines(model: Model, pane: Pane, width: number, height: number): readonly Line[] {
	const rows = operationRows(model);
	const chosen = operationAtCursor(model);
	if (!chosen) {
		return fill(
			[[], line('  Nothing has been done yet.'), [], line('  esc  back to the table, then n launches an instance')],
			height,
		);
	}
	if (pane.isLogOpen) return wholeLog(pane, chosen, width, height);
	const active = activeOperations(model).length;
	const head: readonly Line[] = [
		spread(
			[span(' Operations go on when you quit or the connection drops.', 'dim')],
			[span(`${active} active, ${rows.length - active} ended `)],
			width,
		),
		titleLine(width),
	];
	const index = rows.indexOf(chosen);
	const about = aboutLines(pane, chosen, width);
	const room = Math.max(3, height - head.length - Math.min(about.length, Math.ceil(height / 2)));
	const top = Math.max(0, Math.min(index - Math.floor(room / 2), rows.length - room));
	const list = rows.slice(top, top + room).map(operation => rowLine(operation, operation === chosen, width));
	return fill([...head, ...list, ...about], height);
}

const [idWidth, whatWidth, byWidth, timeWidth] = [5, 10, 8, 8];

function targetWidth(width: number): number {
	return Math.max(10, Math.min(36, width - 60));
}

function titleLine(width: number): Line {
	const cells = [
		fitText('#', idWidth),
		fitText('WHAT', whatWidth),
		fitText('TARGET', targetWidth(width)),
		fitText('PROGRESS', 20),
		fitText('TIME', timeWidth, 'right'),
		' BY',
	];
	return line(`   ${cells.join(' ')}`, 'title');
}

/** One figure for an operation: the mean of its parts. */
export function percentOf(operation: OperationView): number | undefined {
	const known = operation.items.map(item => (isDone(item) ? 100 : item.percent));
	if (known.length === 0 || known.every(percent => percent === undefined)) return undefined;
	return Math.floor(known.reduce<number>((sum, percent) => sum + (percent ?? 0), 0) / known.length);
}

const isDone = (item: OperationItem) => item.state !== 'running' && item.state !== 'queued';

function progressOf(operation: OperationView): {readonly text: string; readonly style?: StyleName} {
	const failed = operation.items.filter(item => item.state === 'failed').length;
	if (operation.state === 'failed') {
		return {
			text: operation.items.length > 1 ? `${operation.items.length - failed} ok, ${failed} FAILED` : 'FAILED',
			style: 'problem',
		};
	}
	if (operation.state === 'cancelled') return {text: 'cancelled', style: 'dim'};
	if (operation.state === 'done') return {text: 'ok', style: 'good'};
	if (operation.state === 'queued') return {text: 'queued', style: 'busy'};
	const percent = percentOf(operation);
	if (percent !== undefined) return {text: `${bar(percent, 10)} ${percent}%`, style: 'busy'};
	return {text: plainLine(operation.items[0]?.stage ?? 'running'), style: 'busy'};
}

function rowLine(operation: OperationView, isChosen: boolean, width: number): Line {
	const {text, style} = progressOf(operation);
	const names = operation.items.map(item => plainLine(item.target)).join(', ');
	// While it runs its start is shown: a running clock would write bytes for ever.
	const time = operation.endedAt
		? duration(operation.endedAt - (operation.startedAt ?? operation.createdAt))
		: clock(operation.startedAt ?? operation.createdAt);
	return [
		span(isChosen ? ' > ' : '   ', 'bold'),
		span(
			`${fitText(operation.id, idWidth)} ${fitText(operation.kind, whatWidth)} ${fitText(names, targetWidth(width))} `,
		),
		span(fitText(text, 20), style),
		span(` ${fitText(time, timeWidth, 'right')} ${fitText(plainLine(operation.by), byWidth)}`),
	];
}

/** Below the list: what each instance of the chosen operation came to, and the end of its log. */
function aboutLines(pane: Pane, operation: OperationView, width: number): readonly Line[] {
	const title = ` ${operation.id} ${plainLine(operation.title)} `;
	return [
		line(`──${title}${'─'.repeat(Math.max(0, width - 2 - title.length))}`, 'dim'),
		...(operation.items.length > 1 || operation.error
			? operation.items.slice(0, 8).flatMap(item => itemLines(item, width))
			: operation.items.map(item => stageLine(item))),
		...(operation.items.length > 8 ? [line(`   and ${operation.items.length - 8} more`, 'dim')] : []),
		...logLines(pane, width).slice(-8),
	];
}

function stageLine(item: OperationItem): Line {
	return line(`   ${plainLine(item.note ?? item.stage)}`);
}

function itemLines(item: OperationItem, width: number): readonly Line[] {
	const style: StyleName | undefined = item.state === 'failed' ? 'problem' : item.state === 'done' ? 'good' : undefined;
	const word = item.state === 'failed' ? 'FAILED' : item.state === 'done' ? 'ok' : item.state;
	const error = item.error
		? `${item.error.message}${item.error.next ? ` ${item.error.next}` : ''}`
		: (item.note ?? item.stage);
	const name = fitText(plainLine(item.target), 18);
	return wrap(plainLine(error), width - 32).map((part, index) =>
		index === 0 ? [span(`   ${name} `), span(fitText(word, 9), style), span(part)] : [span(' '.repeat(31)), span(part)],
	);
}

function logLines(pane: Pane, width: number): readonly Line[] {
	if (!pane.log) return [line('   loading the log ...', 'dim')];
	if (pane.log.length === 0) return [line('   The log is empty.', 'dim')];
	return pane.log.flatMap(({at, text}) =>
		wrap(plainLine(text), width - 14).map(
			(part, index): Line => [span(index === 0 ? `   ${clock(at)}  ` : ' '.repeat(13), 'dim'), span(part)],
		),
	);
}

function wholeLog(pane: Pane, operation: OperationView, width: number, height: number): readonly Line[] {
	const all = [...operation.items.flatMap(item => itemLines(item, width)), [], ...logLines(pane, width)];
	const {text, style} = progressOf(operation);
	const room = height - 2;
	const top = Math.max(0, Math.min(pane.logTop, all.length - room));
	const head: Line = spread(
		[span(` ${operation.id} ${plainLine(operation.title)}  `, 'bold'), span(text, style)],
		[span(isEnded(operation) ? `ended ${clock(operation.endedAt ?? 0)} ` : 'under way ')],
		width,
	);
	return fill([head, [], ...all.slice(top, top + room)], height);
}
