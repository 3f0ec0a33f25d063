import {EventEmitter} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import {expect, test} from 'vitest';
import {ScreenOutput, type TerminalStream} from '../../source/components/terminal/screen-output.ts';

/** A terminal that takes data at once, or not at all until it is let. */
class FakeTerminal extends EventEmitter {
	columns = 20;
	rows = 3;
	isTTY = true;
	writableLength = 0;
	readonly written: string[] = [];
	isStalled = false;
	#waiting: Array<() => void> = [];

	write(data: string, callback?: () => void): boolean {
		this.written.push(data);
		if (!this.isStalled) {
			setImmediate(() => callback?.());
			return true;
		}
		this.writableLength += data.length;
		this.#waiting.push(() => callback?.());
		return false;
	}

	drain() {
		this.isStalled = false;
		this.writableLength = 0;
		for (const done of this.#waiting.splice(0)) done();
	}
}

const enter = '\u001B[?1049h';
const leave = '\u001B[?1049l';
const turn = () => sleep(5);

function open(options: ConstructorParameters<typeof ScreenOutput>[1] = {}) {
	const terminal = new FakeTerminal();
	const screen = new ScreenOutput(terminal as unknown as TerminalStream, {frameMs: 0, resizeMs: 20, ...options});
	screen.write(enter);
	terminal.written.length = 0;
	return {terminal, screen};
}

test('a frame is one write with the marks of synchronised output around it', async () => {
	const {terminal, screen} = open();
	screen.write('one\ntwo\nthree');
	await turn();
	expect(terminal.written).toHaveLength(1);
	expect(terminal.written[0]).toMatch(/^\u001B\[\?2026h.*one.*\u001B\[\?2026l$/s);
});

test('without synchronised output the marks are left out', async () => {
	const {terminal, screen} = open({sync: false});
	screen.write('one\ntwo\nthree');
	await turn();
	expect(terminal.written.join('')).not.toContain('2026');
});

test('several frames of one turn are one write', async () => {
	const {terminal, screen} = open();
	screen.write('a\nb\nc');
	screen.write('a\nb\nd');
	await turn();
	expect(terminal.written).toHaveLength(1);
	expect(terminal.written[0]).toContain('d');
});

test('a frame equal to the one on the screen writes nothing', async () => {
	const {terminal, screen} = open();
	screen.write('a\nb\nc');
	await turn();
	terminal.written.length = 0;
	screen.write('a\nb\nc');
	await turn();
	expect(terminal.written).toEqual([]);
});

test('a terminal that takes nothing gets the newest frame alone when it drains', async () => {
	const {terminal, screen} = open();
	terminal.isStalled = true;
	screen.write('frame 0\n\n');
	await turn();
	for (let number = 1; number <= 500; number++) screen.write(`frame ${number}\n\n`);
	await turn();
	expect(terminal.written).toHaveLength(1);
	terminal.drain();
	await turn();
	expect(terminal.written).toHaveLength(2);
	expect(terminal.written[1]).toContain('500');
});

test('no frame follows onto the screen of the shell', async () => {
	const {terminal, screen} = open();
	screen.write('a\nb\nc');
	screen.write(leave);
	screen.write('late\n\n');
	await turn();
	expect(terminal.written.join('')).toBe(`${leave}\u001B[?25h`);
});

test('coming back hides the cursor and paints everything', async () => {
	const {terminal, screen} = open();
	screen.write('a\nb\nc');
	await turn();
	screen.write(leave);
	terminal.written.length = 0;
	screen.write(enter);
	screen.write('a\nb\nc');
	await turn();
	expect(terminal.written[0]).toBe(`${enter}\u001B[?25l`);
	expect(terminal.written[1]).toContain('a\u001B[m\r\nb');
});

test('a storm of resizes is told at the pace of the throttle, and the last size is the right one', async () => {
	const {terminal, screen} = open({resizeMs: 40});
	const sizes: number[] = [];
	screen.on('resize', () => sizes.push(screen.columns));
	for (let columns = 21; columns <= 80; columns++) {
		terminal.columns = columns;
		terminal.emit('resize');
	}
	await sleep(120);
	expect(sizes.length).toBeLessThanOrEqual(2);
	expect(sizes.at(-1)).toBe(80);
});

test('waiting for the end of writing ends even when the terminal takes nothing', async () => {
	const {terminal, screen} = open();
	terminal.isStalled = true;
	screen.write('a\nb\nc');
	await new Promise<void>(resolve => void screen.write('', resolve));
	expect(screen.isStalled).toBe(true);
});
