import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {until} from '../support/engine.ts';
import {Program} from '../support/program.ts';
import {Terminal} from '../tui/support/terminal.ts';

const [enter, esc, tab] = ['\r', '\u001B', '\t'];

/** Long enough for a guest to boot under software emulation on a busy machine. */
const bootMs = 90_000;

/** What a person does with an instance by keys, on real QEMU, in a real terminal. */
describe.each([
	[80, 24],
	[120, 40],
])('an instance from the dashboard at %ix%i', (columns, rows) => {
	let drover: Program;
	let terminal: Terminal;
	let bootId: string;

	beforeAll(async () => {
		drover = await Program.open();
		terminal = open();
	});
	afterAll(async () => {
		terminal[Symbol.dispose]();
		await drover.close();
	});

	const open = () => new Terminal(process.execPath, [drover.file], {columns, rows, env: drover.env});

	/** Answers a question of the first level: it takes nothing for its first 300 ms. */
	async function yes(question: RegExp) {
		await terminal.waitFor(question);
		await new Promise(resolve => setTimeout(resolve, 350));
		terminal.type('y');
	}

	/** As far down the form as it goes, whatever fields the driver has in it. */
	async function toLaunch() {
		for (let field = 0; field < 10 && !/> *\[ Launch \]/.test(terminal.text()); field++) {
			terminal.type(tab);
			await new Promise(resolve => setTimeout(resolve, 150));
		}
		await terminal.waitFor(/> *\[ Launch \]/);
	}

	test('the first run shows what this machine can do, and a key goes on', async () => {
		await terminal.waitFor('Welcome to drover');
		await terminal.waitFor('READY');
		terminal.type(enter);
		await terminal.waitFor('No instances in QEMU yet');
	});

	test('n launches: the form, the row that comes up, the instance that runs', async () => {
		terminal.type('n');
		await terminal.waitFor('Launch an instance on QEMU');
		terminal.type('web');
		await terminal.waitFor('--name web');
		terminal.type(tab);
		await terminal.waitFor(/> Image/);
		terminal.type('micro');
		await terminal.waitFor('drover launch micro --name web');
		await toLaunch();
		terminal.type(enter);
		await terminal.waitFor(/> web .*Starting/);
		await terminal.waitFor(/> web .*Running/, bootMs);
		bootId = await drover.bootId('web');
	});

	test('c opens a shell in it, and its end brings the same screen back', async () => {
		terminal.type('c');
		await terminal.waitFor(text => text.includes('#') && !text.includes('Instances'), 20_000);
		terminal.type('cat /proc/sys/kernel/random/boot_id\r');
		await terminal.waitFor(bootId);
		terminal.type('exit\r');
		await terminal.waitFor(/> web .*Running/);
	});

	test('z suspends it after a yes; a lost connection changes nothing; s resumes it with the same boot', async () => {
		terminal.type('z');
		await yes(/Suspend/);
		await terminal.waitFor(/> web .*Suspended/, 30_000);
		terminal.hangUp();
		terminal = open();
		await terminal.waitFor(/> web .*Suspended/);
		terminal.type('s');
		await terminal.waitFor(/> web .*Running/, bootMs);
		expect(await drover.bootId('web')).toBe(bootId);
	});

	test('x puts it into the trash after a yes, u brings it back', async () => {
		terminal.type('x');
		await yes(/trash/);
		await terminal.waitFor(/> web .*Deleted/, 60_000);
		terminal.type('u');
		await terminal.waitFor(/> web .*Stopped/);
		expect(await drover.states()).toEqual({web: 'Stopped'});
	});

	test('a hang-up in a launch: the program is gone within a second, the launch completes, the next dashboard shows it', async () => {
		terminal.type('n');
		await terminal.waitFor('Launch an instance on QEMU');
		terminal.type('second');
		await terminal.waitFor('--name second');
		await toLaunch();
		terminal.type(enter);
		await terminal.waitFor(/second .*Starting/);
		const began = performance.now();
		process.kill(terminal.pid, 'SIGHUP');
		await terminal.exited;
		expect(performance.now() - began).toBeLessThan(1000);
		terminal = open();
		await terminal.waitFor(/second .*Starting/);
		terminal.type('b');
		await terminal.waitFor(/launch.*second/s);
		terminal.type(esc);
		await terminal.waitFor(/second .*Running/, bootMs);
		expect(await drover.states()).toEqual({second: 'Running', web: 'Stopped'});
	});

	test('q ends it with 0', async () => {
		terminal.type('q');
		expect(await terminal.exited).toMatchObject({exitCode: 0});
		await until(
			() => drover.states(),
			states => states['second'] === 'Running',
		);
	});
});
