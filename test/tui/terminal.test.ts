import {chmodSync, mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, onTestFinished, test} from 'vitest';
import {Place} from './support/place.ts';
import type {Terminal} from './support/terminal.ts';

async function open(count = 12): Promise<Place> {
	const place = await Place.open(count);
	onTestFinished(() => place[Symbol.asyncDispose]());
	return place;
}

/** Types as a person does: a thief of keys would take some of these. */
async function typeSlowly(terminal: Terminal, text: string): Promise<void> {
	for (const character of text) {
		terminal.type(character);
		await sleep(8);
	}
}

describe('Ctrl-Z', () => {
	test('gives the shell its terminal, and fg comes back to the same row, again and again, also after a resize', async () => {
		const place = await open();
		const {terminal} = await place.underShell();
		using _terminal = terminal;
		terminal.type('jj');
		await terminal.waitFor('> vm-03');
		for (let round = 0; round < 20; round++) {
			terminal.type('\u001A');
			await terminal.waitFor(text => text.includes('Stopped') && !terminal.isAlternate);
			expect(terminal.isCursorHidden).toBe(false);
			terminal.type(`echo round-$((${round}+10))\r`);
			await terminal.waitFor(`round-${round + 10}`);
			if (round === 12) terminal.resize(100, 30);
			terminal.type('fg\r');
			await terminal.waitFor(text => terminal.isAlternate && text.includes('> vm-03') && text.includes('quit'));
			expect(terminal.isCursorHidden).toBe(true);
			if (round >= 12) await terminal.waitFor(text => text.split('\n').some(line => /─{100}/.test(line)));
		}
		terminal.type('j');
		await terminal.waitFor('> vm-04');
		terminal.type('q');
		expect(await place.aftermath(terminal, {wasStopped: true})).toEqual({code: 0, wrong: []});
	});

	test('without a shell above is told, and changes nothing', async () => {
		const place = await open();
		using terminal = await place.dashboard();
		terminal.type('\u001A');
		await terminal.waitFor('There is no shell to go back to');
		terminal.type('j');
		await terminal.waitFor('> vm-02');
	});
});

describe('stopped from outside', () => {
	test.each<NodeJS.Signals>(['SIGTSTP', 'SIGSTOP'])('by %s it works again after fg', async signal => {
		const place = await open();
		const {terminal, pid} = await place.underShell();
		using _terminal = terminal;
		process.kill(pid, signal);
		await terminal.waitFor('Stopped');
		terminal.type('fg\r');
		await terminal.waitFor(text => terminal.isAlternate && text.includes('> vm-01') && text.includes('q quit'));
		terminal.type('j');
		await terminal.waitFor('> vm-02');
		terminal.type('q');
		expect(await place.aftermath(terminal, {wasStopped: true})).toEqual({code: 0, wrong: []});
	});
});

test('a shell has the whole terminal, every key of it, and comes back to the same row, filter and place', async () => {
	const place = await open(40);
	const bin = path.join(place.home, 'bin');
	mkdirSync(bin);
	// Stands for ssh: says how it was called, then obeys what is typed.
	writeFileSync(
		path.join(bin, 'ssh'),
		'#!/bin/bash\necho "called with $*"\nwhile printf "guest$ "; read -r line; do eval "$line"; done\n',
	);
	chmodSync(path.join(bin, 'ssh'), 0o755);
	using terminal = await place.dashboard({env: {PATH: `${bin}:${process.env['PATH']}`}});
	terminal.type('/');
	await terminal.waitFor('0 of 40 match'.replace('0 of', '40 of'));
	await typeSlowly(terminal, 'vm-3');
	terminal.type('\r');
	await terminal.waitFor('10 of 40 match');
	terminal.type('jj');
	await terminal.waitFor('> vm-32');
	for (let round = 0; round < 2; round++) {
		terminal.type('c');
		await terminal.waitFor(text => text.includes('guest$') && !terminal.isAlternate);
		expect(terminal.isCursorHidden).toBe(false);
		expect(terminal.text()).toContain('shell in vm-32');
		for (let line = 0; line < 4; line++) await typeSlowly(terminal, `echo abcdefghij-$((${line}+${round * 10}))\r`);
		for (let line = 0; line < 4; line++) await terminal.waitFor(`abcdefghij-${line + round * 10}`);
		// Ctrl-C is the guest's.
		await typeSlowly(terminal, 'trap "echo interrupted" INT; sleep 5\r');
		await sleep(300);
		terminal.type('\u0003');
		await terminal.waitFor('interrupted');
		await typeSlowly(terminal, 'exit 3\r');
		await terminal.waitFor(text => terminal.isAlternate && text.includes('Back from vm-32.'));
		expect(terminal.text()).toContain('> vm-32');
		expect(terminal.text()).toContain('filter: vm-3');
	}
	terminal.type('j');
	await terminal.waitFor('> vm-33');
	// What ssh says when it cannot reach a guest has left the screen with it: it is told again.
	terminal.type('c');
	await terminal.waitFor(text => text.includes('guest$') && !terminal.isAlternate);
	await typeSlowly(terminal, 'exit 255\r');
	await terminal.waitFor('ssh could not reach vm-33');
	await terminal.waitFor('alerts 1 (!)');
});

describe('keys over a slow line', () => {
	test('an arrow in two pieces is an arrow', async () => {
		const place = await open();
		using terminal = await place.dashboard({env: {SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22'}});
		for (const pause of [10, 30, 70]) {
			terminal.type('\u001B');
			await sleep(pause);
			terminal.type('[B');
			await terminal.quiet(150);
		}
		expect(terminal.text()).toContain('> vm-04');
	});

	test('pieces that come too late change nothing', async () => {
		const place = await open();
		using terminal = await place.dashboard();
		for (const [head, tail] of [
			['\u001B[', 'A'],
			['\u001B', 'OP'],
			['\u001B[1;', '5D'],
			['\u001B', '[20~'],
		] as const) {
			terminal.type(head);
			await sleep(250);
			terminal.type(tail);
			await terminal.quiet(200);
			// What is left of it may open a page to look at, no more.
			terminal.type('\u001B');
			await terminal.quiet(250);
		}
		expect(place.engine.calls.filter(call => call.method === 'act' || call.method === 'launch')).toEqual([]);
	});

	test('ten thousand pasted bytes change nothing in the table', async () => {
		const place = await open();
		using terminal = await place.dashboard();
		terminal.type(`\u001B[200~${'ty\rxy\r'.repeat(1700)}\u001B[201~`);
		await terminal.waitFor('Pasted text was ignored');
		expect(terminal.text()).toContain('> vm-01');
		expect(place.engine.calls.filter(call => call.method === 'act')).toEqual([]);
	});

	test("every terminal's form of a key is understood", async () => {
		const place = await open(30);
		using terminal = await place.dashboard();
		for (const [form, row] of [
			['\u001B[F', 30],
			['\u001B[H', 1],
			['\u001BOF', 30],
			['\u001BOH', 1],
			['\u001B[4~', 30],
			['\u001B[1~', 1],
			['\u001B[8~', 30],
			['\u001B[7~', 1],
			['\u001BOB', 2],
			['\u001B[B', 3],
			['\u001BOA', 2],
			['\u001B[6~', 20],
		] as const) {
			terminal.type(form);
			await terminal.waitFor(`> vm-${String(row).padStart(2, '0')}`);
		}
	});
});

describe('bytes', () => {
	test('a move costs 120 at most, standing still nothing, the first frame 6 kB', async () => {
		const place = await open(40);
		using terminal = await place.dashboard({columns: 120, rows: 40});
		await terminal.quiet();
		expect(terminal.bytes).toBeLessThan(6144);
		const first = terminal.bytes;
		for (let move = 0; move < 10; move++) {
			terminal.type('j');
			await terminal.quiet(60);
		}
		const moves = terminal.bytes - first;
		expect(moves).toBeGreaterThan(0);
		expect(moves / 10).toBeLessThanOrEqual(120);
		await terminal.quiet();
		const still = terminal.bytes;
		await sleep(3000);
		expect(terminal.bytes - still).toBe(0);
	});

	test('each frame stands between the marks of synchronised output, which DROVER_SYNC=0 takes away', async () => {
		const place = await open();
		using terminal = await place.dashboard();
		terminal.type('j');
		await terminal.waitFor('> vm-02');
		const begins = terminal.raw.split('\u001B[?2026h').length;
		expect(begins).toBeGreaterThan(2);
		expect(terminal.raw.split('\u001B[?2026l').length).toBe(begins);
		using plain = await place.dashboard({env: {DROVER_SYNC: '0'}});
		expect(plain.raw).not.toContain('?2026');
	});

	test('the terminal is asked nothing', async () => {
		const place = await open();
		using terminal = await place.dashboard();
		// Device attributes, cursor position, mode reports, colours, Kitty keys.
		expect(terminal.raw).not.toMatch(/\u001B\[[>=?]?\d*c|\u001B\[\??6n|\u001B\[\?\d+\$p|\u001B\]1[01];\?|\u001B\[\?u/);
	});

	test('a storm of resizes is a few frames, and ends as a fresh start looks', async () => {
		const place = await open();
		using terminal = await place.dashboard({columns: 80, rows: 24});
		await terminal.quiet();
		const before = terminal.raw.split('\u001B[H').length;
		for (let step = 1; step <= 60; step++) {
			terminal.resize(80 + step, 24 + (step % 10));
			await sleep(8);
		}
		terminal.resize(100, 30);
		await terminal.quiet(400);
		expect(terminal.raw.split('\u001B[H').length - before).toBeLessThanOrEqual(9);
		using fresh = await place.dashboard({columns: 100, rows: 30});
		await fresh.quiet();
		expect(terminal.lines()).toEqual(fresh.lines());
	});
});
