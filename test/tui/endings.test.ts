import process from 'node:process';
import {afterAll, describe, expect, onTestFinished, test} from 'vitest';
import {bundle} from './support/bundle.ts';
import {Place, untilGone} from './support/place.ts';

async function open(): Promise<Place> {
	const place = await Place.open();
	onTestFinished(() => place[Symbol.asyncDispose]());
	return place;
}

describe('the terminal is as it was', () => {
	test.each<[string, string, number]>([
		['q', 'q', 0],
		['Ctrl-C', '\u0003', 0],
	])('after %s', async (_, key, code) => {
		const place = await open();
		const {terminal} = await place.underShell();
		using _terminal = terminal;
		expect(terminal.isAlternate && terminal.isCursorHidden).toBe(true);
		terminal.type(key);
		expect(await place.aftermath(terminal)).toEqual({code, wrong: []});
	});

	test.each<[NodeJS.Signals, number]>([
		['SIGHUP', 129],
		['SIGINT', 130],
		['SIGQUIT', 131],
		['SIGTERM', 143],
	])('after %s', async (signal, code) => {
		const place = await open();
		const {terminal, pid} = await place.underShell();
		using _terminal = terminal;
		process.kill(pid, signal);
		expect(await untilGone(pid)).toBeLessThan(1500);
		expect(await place.aftermath(terminal)).toEqual({code, wrong: []});
	});

	test.each(['render', 'handler', 'rejection'])(
		'after an error in %s, which is told on the screen of the shell',
		async how => {
			const place = await open();
			const program = await builtCrashing();
			const {terminal} = await place.underShell(`export CRASH=${how}`, program);
			using _terminal = terminal;
			terminal.type('\u0012');
			expect(await place.aftermath(terminal)).toEqual({code: 1, wrong: []});
			expect(terminal.text()).toContain('drover: drover itself failed:');
		},
	);
});

let crashing: ReturnType<typeof bundle> | undefined;
/** The program that fails on demand, built once. */
async function builtCrashing(): Promise<string> {
	crashing ??= bundle('crashing.tsx');
	return (await crashing).file;
}
afterAll(async () => (await crashing)?.remove());

describe('the terminal goes away', () => {
	test('and the program with it', async () => {
		const place = await open();
		using terminal = await place.dashboard();
		const {pid} = terminal;
		terminal.hangUp();
		expect(await untilGone(pid)).toBeLessThan(1500);
	});

	test('also when the parent ignores the hang-up', async () => {
		const place = await open();
		const {terminal, pid} = await place.underShell("trap '' HUP");
		using _terminal = terminal;
		terminal.hangUp();
		expect(await untilGone(pid)).toBeLessThan(2500);
	});

	test('and what was under way goes on', async () => {
		const place = await open();
		place.engine.delayMs = 2000;
		using terminal = await place.dashboard();
		terminal.type('t');
		await terminal.waitFor('Stop vm-01?');
		await terminal.quiet(400);
		terminal.type('y');
		await terminal.waitFor('ops 1 (b)');
		terminal.hangUp();
		await untilGone(terminal.pid);
		const [operation] = await place.engine.operations();
		expect(operation?.state).toBe('running');
		const ended = await place.engine.wait({id: operation!.id});
		expect(ended.state).toBe('done');
	});
});

test('a terminal that takes nothing does not keep it from ending', async () => {
	const place = await open();
	using terminal = await place.dashboard({columns: 120, rows: 40});
	terminal.stall();
	// Whole repaints until the kernel's buffer is long full.
	for (let paints = 0; paints < 60; paints++) {
		terminal.type('\u000C');
		await new Promise(resolve => setTimeout(resolve, 20));
	}
	process.kill(terminal.pid, 'SIGTERM');
	expect(await untilGone(terminal.pid)).toBeLessThan(2500);
});

test('CI in the environment does not take the screen away', async () => {
	const place = await open();
	using terminal = await place.dashboard({env: {CI: '1'}});
	expect(terminal.isAlternate).toBe(true);
	terminal.type('j');
	await terminal.waitFor('> vm-02');
});
