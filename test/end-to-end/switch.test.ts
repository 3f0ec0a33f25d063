import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {until} from '../support/engine.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {Program} from '../support/program.ts';
import {Terminal} from '../tui/support/terminal.ts';

const libvirt = await ownLibvirt();
const why = typeof libvirt === 'string' ? ` (${libvirt})` : '';

/** Between two real hypervisors, through the built program: one instance of each state, away and back. */
describe.skipIf(why !== '')(`switching between QEMU and libvirt${why}`, {timeout: 300_000}, () => {
	const own = libvirt as Exclude<typeof libvirt, string>;
	const all = {deleted: 'Deleted', first: 'Running', second: 'Running', stopped: 'Stopped', suspended: 'Suspended'};
	let drover: Program;
	let boots: string[];

	beforeAll(async () => {
		drover = await Program.open();
		drover.more['LIBVIRT_DEFAULT_URI'] = own.uri;
		for (const name of Object.keys(all)) await drover.ok('launch', 'micro', '--name', name, '--memory', '128M');
		await drover.ok('delete', 'deleted');
		await drover.ok('stop', 'stopped');
		boots = [await drover.bootId('first'), await drover.bootId('second'), await drover.bootId('suspended')];
		await drover.ok('suspend', 'suspended');
	});
	afterAll(async () => {
		await drover.close();
		await own.close();
	});

	const running = async () => [await drover.bootId('first'), await drover.bootId('second')];
	test('a plan says what would be done, and does nothing', async () => {
		const plan = JSON.parse(await drover.ok('switch', 'libvirt', '--dry-run', '--format', 'json'));
		expect(plan).toMatchObject({from: 'qemu', to: 'libvirt', isShared: true, problems: [], losesMemory: []});
		expect(await drover.states()).toEqual(all);
		expect(await drover.ok('switch', '--last')).toContain('no switch yet');
	});

	test('ten times away and back: the states exact, the same boots, no process left over', async () => {
		for (let round = 1; round <= 10; round++) {
			await drover.ok('switch', round % 2 === 1 ? 'libvirt' : 'qemu');
			expect(await drover.states()).toEqual(all);
			expect(await running()).toEqual(boots.slice(0, 2));
			expect(drover.machines()).toHaveLength(2);
		}
		const story = JSON.parse(await drover.ok('switch', '--last', '--format', 'json'));
		expect(story).toMatchObject({from: 'libvirt', to: 'qemu', outcome: 'switched'});
	});

	test('what the user suspended under the one is resumed under the other, with the same boot', async () => {
		await drover.ok('set', 'local.driver=libvirt');
		expect((await drover.ok('get', 'local.driver')).trim()).toBe('libvirt');
		await drover.ok('start', 'suspended');
		expect(await drover.bootId('suspended')).toBe(boots[2]);
		await drover.ok('suspend', 'suspended');
		await drover.ok('set', 'local.driver=qemu');
		expect(await drover.states()).toEqual(all);
		await drover.ok('start', 'suspended');
		expect(await drover.bootId('suspended')).toBe(boots[2]);
		await drover.ok('suspend', 'suspended');
	});

	test('kill -9 of the daemon in a switch: all are there, with their boots, and the story says so', async () => {
		const switching = drover.run('switch', 'libvirt');
		await until(
			() =>
				drover.ok('switch', '--last', '--format', 'json').then(text => JSON.parse(text) as {phase: string; to: string}),
			story => story.to === 'libvirt' && story.phase !== 'done',
			20_000,
		);
		const pid = await drover.daemonPid();
		process.kill(pid!, 'SIGKILL');
		await switching;
		await until(
			async () => JSON.parse(await drover.ok('switch', '--last', '--format', 'json')) as {phase: string},
			story => story.phase === 'done',
			120_000,
		);
		expect(await drover.states()).toEqual(all);
		expect(await running()).toEqual(boots.slice(0, 2));
		expect(await drover.ok('switch', '--last')).toContain('the next start took it up');
		const driver = (await drover.ok('get', 'local.driver')).trim();
		if (driver !== 'qemu') await drover.ok('switch', 'qemu');
		expect(await running()).toEqual(boots.slice(0, 2));
	});

	test('from the dashboard: the plan, a yes, live progress in two terminals, the end', async () => {
		const open = () => new Terminal(process.execPath, [drover.file], {columns: 80, rows: 24, env: drover.env});
		const [terminal, other] = [open(), open()];
		await Promise.all([terminal.waitFor(/first .*Running/), other.waitFor(/first .*Running/)]);
		terminal.type('w');
		await terminal.waitFor(/libvirt +ready/i, 30_000);
		terminal.type('j');
		await terminal.waitFor(/> *LXD/);
		terminal.type('j');
		await terminal.waitFor(/> *libvirt/);
		terminal.type('\r');
		await terminal.waitFor('QEMU -> libvirt', 30_000);
		await terminal.waitFor(/first +Running +suspend/);
		terminal.type('\r');
		await terminal.waitFor('Switch to libvirt?');
		await new Promise(resolve => setTimeout(resolve, 350));
		terminal.type('y');
		await other.waitFor('switching to libvirt');
		await terminal.waitFor(/Switched in /, 60_000);
		await other.waitFor('Switched to libvirt', 60_000);
		expect(await running()).toEqual(boots.slice(0, 2));
		for (const each of [terminal, other]) each[Symbol.dispose]();
		await drover.ok('switch', 'qemu');
	});

	test('a terminal that is lost in a switch does not stop it', async () => {
		const terminal = new Terminal(process.execPath, [drover.file, 'switch', 'libvirt'], {env: drover.env});
		await terminal.waitFor('Switching');
		terminal.hangUp();
		await until(
			async () => JSON.parse(await drover.ok('switch', '--last', '--format', 'json')) as {phase: string; to: string},
			story => story.to === 'libvirt' && story.phase === 'done',
			120_000,
		);
		expect((await drover.ok('get', 'local.driver')).trim()).toBe('libvirt');
		expect(await drover.states()).toEqual(all);
		expect(await running()).toEqual(boots.slice(0, 2));
	});
});
