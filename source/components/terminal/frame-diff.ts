import {type Cell, cellsOf} from './cells.ts';

const blank: Cell = {text: ' ', style: ''};
const isSame = (a: Cell, b: Cell) => a.text === b.text && a.style === b.style;
const isBlank = (cell: Cell) => cell.text === ' ' && cell.style === '';
/** Moving the cursor costs about six bytes, so a shorter gap is cheaper to write again. */
const longestGap = 5;

const moveTo = (row: number, column: number) =>
	column === 0 ? `\u001B[${row + 1}H` : `\u001B[${row + 1};${column + 1}H`;
const setStyle = (style: string) => (style === '' ? '\u001B[m' : `\u001B[0;${style}m`);

/** What paints a whole frame on a screen of unknown content. */
export function paintFrame(lines: readonly string[]): string {
	// Each line is ended by its own line break: an erase after a line that fills the last column would eat that column.
	return `\u001B[m\u001B[H\u001B[J${lines.map(line => trimEnd(line)).join('\u001B[m\r\n')}\u001B[m`;
}

function trimEnd(line: string): string {
	return line.replace(/ +$/, '');
}

/** What turns one frame on the screen into another; empty when they are equal. */
export function diffFrames(before: readonly string[], after: readonly string[]): string {
	let output = '';
	for (let row = 0; row < Math.max(before.length, after.length); row++) {
		const old = before[row] ?? '';
		const next = after[row] ?? '';
		if (old !== next) output += diffLine(row, cellsOf(old), cellsOf(next));
	}
	return output;
}

function diffLine(row: number, before: readonly Cell[], after: readonly Cell[]): string {
	let output = '';
	let style = '';
	let column = -1;
	const end = contentEnd(after);
	const put = (x: number) => {
		const cell = after[x] ?? blank;
		if (cell.style !== style) {
			style = cell.style;
			output += setStyle(style);
		}
		output += cell.text;
	};
	for (let x = 0; x < end; x++) {
		const cell = after[x]!;
		if (cell.text === '' || isUnchanged(before, after, x)) continue;
		if (column !== x) {
			const isNear = column >= 0 && x > column && x - column <= longestGap;
			if (isNear) for (let gap = column; gap < x; gap++) put(gap);
			else output += moveTo(row, x);
		}
		put(x);
		column = x + (after[x + 1]?.text === '' ? 2 : 1);
	}
	if (style !== '') output += '\u001B[m';
	if (contentEnd(before) > end) output += `${column === end ? '' : moveTo(row, end)}\u001B[K`;
	return output;
}

function isUnchanged(before: readonly Cell[], after: readonly Cell[], x: number): boolean {
	if (!isSame(before[x] ?? blank, after[x]!)) return false;
	// The right half of a wide character is only right when its left half is drawn with it.
	return (before[x + 1]?.text === '') === (after[x + 1]?.text === '');
}

/** The number of cells up to the last one that is not blank. */
function contentEnd(cells: readonly Cell[]): number {
	let end = cells.length;
	while (end > 0 && isBlank(cells[end - 1]!)) end--;
	return end;
}
