import xterm from '@xterm/headless';
import {array, assert, asyncProperty, constantFrom, tuple} from 'fast-check';
import {expect, test} from 'vitest';
import {cellsOf} from '../../source/components/terminal/cells.ts';
import {diffFrames, paintFrame} from '../../source/components/terminal/frame-diff.ts';

const [columns, rows] = [12, 4];

/** What a terminal shows after some bytes: every cell with its attributes. */
async function shown(bytes: string): Promise<string[]> {
	const terminal = new xterm.Terminal({cols: columns, rows, allowProposedApi: true});
	await new Promise<void>(resolve => terminal.write(bytes, resolve));
	const buffer = terminal.buffer.active;
	const cells = Array.from({length: rows}, (_, y) =>
		Array.from({length: columns}, (_, x) => {
			const cell = buffer.getLine(y)?.getCell(x);
			const look = `${cell?.getFgColor()}${cell?.isBold()}${cell?.isDim()}${cell?.isInverse()}`;
			return `${cell?.getChars() || ' '}/${cell?.getWidth()}/${look}`;
		}).join(' '),
	);
	terminal.dispose();
	return cells;
}

const piece = constantFrom(
	'a',
	'bc',
	' ',
	'     ',
	'\u001B[1mB\u001B[0m',
	'\u001B[32mgo\u001B[39m',
	'\u001B[2;35mx\u001B[22m\u001B[39m',
	'●',
	'漢',
	'é',
	'\u001B[7m \u001B[0m',
);
/** A line that fits the screen, as the painter makes them. */
const frameLine = array(piece, {maxLength: 6}).map(pieces => {
	let line = '';
	for (const next of pieces) if (cellsOf(line + next).length <= columns) line += next;
	return line;
});
const frame = array(frameLine, {minLength: rows, maxLength: rows});

test('what is written to get from one frame to another shows exactly the other', async () => {
	await assert(
		asyncProperty(tuple(frame, frame), async ([before, after]) => {
			const changed = await shown(paintFrame(before) + diffFrames(before, after));
			expect(changed).toEqual(await shown(paintFrame(after)));
		}),
		{numRuns: 200},
	);
});

test('equal frames cost nothing', () => {
	expect(diffFrames(['one', 'two'], ['one', 'two'])).toBe('');
});

test('a pointer that moves one row down costs two cells', () => {
	const rowsBefore = ['> web', '  db'];
	const output = diffFrames(rowsBefore, ['  web', '> db']);
	expect(output).toBe('\u001B[1H \u001B[2H>');
});

test('a short gap between two changes is written again, a long one is jumped over', () => {
	expect(diffFrames(['a..b'], ['x..y'])).toBe('\u001B[1Hx..y');
	expect(diffFrames(['a.........b'], ['x.........y'])).toBe('\u001B[1Hx\u001B[1;11Hy');
});

test('a line that got shorter has its end erased', () => {
	expect(diffFrames(['long line'], ['long'])).toBe('\u001B[1;5H\u001B[K');
});

test('a full line is not followed by an erase, which would eat its last column', async () => {
	const full = 'x'.repeat(columns);
	expect(await shown(paintFrame([full, full, full, full]))).toEqual(
		Array(rows).fill(Array(columns).fill('x/1/-1000').join(' ')),
	);
});

test('escape sequences other than colours do not get into cells', () => {
	const cells = cellsOf('a\u001B[2Jb\u001B]0;title\u0007c\u0007');
	expect(cells.map(cell => cell.text).join('')).toBe('abc');
});
