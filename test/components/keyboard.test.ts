import {EventEmitter} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import {beforeEach, describe, expect, test, vi} from 'vitest';
import {escapeWait, Keyboard} from '../../source/components/terminal/keyboard.ts';

class Source extends EventEmitter {
	isPaused = false;
	setEncoding() {}
	pause() {
		this.isPaused = true;
	}

	resume() {
		this.isPaused = false;
	}
}

let source: Source;
let gone: ReturnType<typeof vi.fn<() => void>>;
let keyboard: Keyboard;

beforeEach(() => {
	source = new Source();
	gone = vi.fn<() => void>();
	keyboard = new Keyboard(source as unknown as NodeJS.ReadStream, {waitMs: 100, onGone: gone});
	keyboard.setEncoding('utf8');
});

/** What Ink would read now. */
const read = (): string => (keyboard.read() as string | null) ?? '';

describe('an arrow key that comes in pieces', () => {
	for (const parts of [
		['\u001B', '[B'],
		['\u001B[', 'B'],
		['\u001B', '[', 'B'],
		['\u001BO', 'B'],
		['\u001B[1;', '5B'],
		['\u001B[5', '~'],
	]) {
		test(JSON.stringify(parts), () => {
			for (const part of parts.slice(0, -1)) {
				source.emit('data', part);
				expect(read()).toBe('');
			}
			source.emit('data', parts.at(-1));
			expect(read()).toBe(parts.join(''));
		});
	}
});

test('what comes before a torn sequence is not held back', () => {
	source.emit('data', 'jj\u001B[');
	expect(read()).toBe('jj');
	source.emit('data', 'A');
	expect(read()).toBe('\u001B[A');
});

test('a lone Esc comes through after the wait', async () => {
	const fast = new Keyboard(source as unknown as NodeJS.ReadStream, {waitMs: 10, onGone: gone});
	fast.setEncoding('utf8');
	source.emit('data', '\u001B');
	expect(fast.read()).toBeNull();
	await sleep(30);
	expect(fast.read()).toBe('\u001B');
});

test('the wait is longer over SSH', () => {
	expect(escapeWait({})).toBe(50);
	expect(escapeWait({SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22'})).toBe(100);
	expect(escapeWait({SSH_TTY: '/dev/pts/1'})).toBe(100);
});

test('the end of the terminal is told, however it comes', () => {
	source.emit('end');
	source.emit('error', new Error('EIO'));
	expect(gone).toHaveBeenCalledTimes(2);
});

test('released it reads nothing, reclaimed it reads on', () => {
	keyboard.release();
	expect(source.isPaused).toBe(true);
	source.emit('data', 'for the child');
	expect(read()).toBe('');
	keyboard.reclaim();
	source.emit('data', 'j');
	expect(read()).toBe('j');
});

test('a torn sequence is waited for as long as was said, and no longer', () => {
	vi.useFakeTimers();
	try {
		source.emit('data', '\u001B');
		vi.advanceTimersByTime(99);
		expect(read()).toBe('');
		source.emit('data', '[');
		vi.advanceTimersByTime(99);
		source.emit('data', 'B');
		expect(read()).toBe('\u001B[B');
		source.emit('data', '\u001B[');
		vi.advanceTimersByTime(100);
		expect(read()).toBe('\u001B[');
	} finally {
		vi.useRealTimers();
	}
});
