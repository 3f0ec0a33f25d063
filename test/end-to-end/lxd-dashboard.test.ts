import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ownLxd} from '../support/lxd.ts';
import {Program} from '../support/program.ts';
import {Terminal} from '../tui/support/terminal.ts';

const [enter, esc, tab, clear] = ['\r', '\u001B', '\t', '\u0015'];

const lxd = await ownLxd();
const why = typeof lxd === 'string' ? ` (${lxd})` : '';

/** What a person does with containers by keys, on a real LXD, in a real terminal. */
describe.skipIf(why !== '')(`containers from the dashboard${why}`, {timeout: 120_000}, () => {
	const own = lxd as Exclude<typeof lxd, string>;
	let drover: Program;
	let terminal: Terminal;
	let share: string;

	beforeAll(async () => {
		drover = await Program.open();
		Object.assign(drover.more, own.environment);
		share = path.join(drover.home, 'share');
		mkdirSync(share);
		writeFileSync(path.join(share, 'note'), 'from the host\n');
		await drover.ok('switch', 'lxd');
		await drover.ok('set', 'local.lxd.type=container');
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '256M');
		await drover.ok('launch', 'micro', '--name', 'zoo', '--memory', '128M');
		await drover.ok('stop', 'zoo');
		terminal = new Terminal(process.execPath, [drover.file], {columns: 120, rows: 40, env: drover.env});
	});
	afterAll(async () => {
		terminal?.[Symbol.dispose]();
		await drover?.close();
		await own.close();
	}, 120_000);

	/** Answers a question of the first level: it takes nothing for its first 300 ms. */
	async function yes(question: string) {
		await terminal.waitFor(question);
		await new Promise(resolve => setTimeout(resolve, 350));
		terminal.type('y');
	}

	test('the table tells what the running one uses, and its page more', async () => {
		await terminal.waitFor(/> web .*Running .* \d+% +\d+% │/, 20_000);
		expect(terminal.text()).toMatch(/ {2}zoo .*Stopped .* - +- │/);
		terminal.type('l');
		await terminal.waitFor(/CPU +\d+% {2}of 1 processor/);
		await terminal.waitFor(/Network +in +\S+B\/s|Network +in +[\d.]+[KMG]\/s/, 20_000);
		expect(terminal.text()).toMatch(/Memory +\d+% .* of 256M/);
		expect(terminal.text()).toMatch(/Type +container/);
		terminal.type(esc);
		await terminal.waitFor('NAME');
	});

	test('m mounts a directory while it runs, and x ends that', async () => {
		terminal.type('m');
		await terminal.waitFor('It has no mounts yet.');
		terminal.type('n');
		await terminal.waitFor('Mount a directory in web');
		terminal.type(share);
		terminal.type(tab);
		terminal.type('/mnt/share');
		await terminal.waitFor('web:/mnt/share');
		for (const key of [tab, tab, enter]) terminal.type(key);
		await terminal.waitFor(`> ${share}`, 20_000);
		expect(await drover.ok('exec', 'web', '--', 'cat', '/mnt/share/note')).toBe('from the host\n');
		terminal.type('x');
		await yes('Unmount /mnt/share from web?');
		await terminal.waitFor('It has no mounts yet.', 20_000);
		terminal.type(esc);
		await terminal.waitFor('NAME');
	});

	test('e changes its memory while it runs', async () => {
		terminal.type('e');
		await terminal.waitFor('Change web');
		await terminal.waitFor(/Disk +\S+ +only while it is stopped/);
		for (const keys of [tab, clear, '300M', tab, enter]) terminal.type(keys);
		await terminal.waitFor('resize web: done', 20_000);
		expect((await drover.ok('get', 'local.web.memory')).trim()).toBe('300.0MiB');
		await terminal.waitFor(/web .* 300M/);
	});

	test('c opens a shell in it, and its end brings the same screen back', async () => {
		terminal.type('c');
		await terminal.waitFor(text => text.includes('shell in web') && !terminal.isAlternate, 20_000);
		await terminal.waitFor(/[$#] *$/, 20_000);
		terminal.type('hostname; echo $((40+2))\r');
		await terminal.waitFor('42');
		terminal.type('exit\r');
		await terminal.waitFor(text => terminal.isAlternate && /> web .*Running/.test(text));
	});

	test('v gives one that rests a further interface', async () => {
		terminal.type('j');
		await terminal.waitFor('> zoo');
		terminal.type('v');
		const first = /> (\S+) +(?:bridge|ethernet) /;
		await terminal.waitFor(first, 20_000);
		const [, network] = first.exec(terminal.text())!;
		terminal.type(enter);
		await yes(`Give zoo an interface on ${network}?`);
		await terminal.waitFor(new RegExp(`${network} +[\\da-f:]{17} +asks for an address itself`), 20_000);
	});
});
