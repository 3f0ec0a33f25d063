import {describe, expect, test} from 'vitest';
import type {ImportLine} from '../../source/model/import-plan.ts';
import {FakeEngine} from '../support/fake-engine.ts';
import {keys} from '../support/screen.ts';
import {open} from './opened.ts';

const line = (ref: string, more: Partial<ImportLine> = {}): ImportLine => ({
	ref,
	name: ref,
	state: 'Stopped',
	cpus: 2,
	memory: 2 ** 30,
	disk: 5 * 2 ** 30,
	bytes: 2 ** 30,
	verdict: 'import',
	notes: [],
	...more,
});

function engineWith(instances: readonly ImportLine[]) {
	const engine = new FakeEngine({instances: []});
	engine.importable = {
		...engine.importable,
		directory: '/var/multipass',
		instances,
		needsBytes: 2 ** 30,
		freeBytes: 2 ** 34,
	};
	const {overview} = engine;
	engine.overview = async () => ({
		...(await overview.call(engine)),
		...(instances.length === 0 ? {} : {multipass: '/var/multipass'}),
	});
	return engine;
}

const some = [
	line('web', {notes: ['Its snapshot stays with Multipass: what is brought is the disk as it is now.']}),
	line('d\u001B[31mb', {
		verdict: 'skip',
		state: 'Running',
		reason: 'it runs',
		next: 'Stop it first: multipass stop db',
	}),
	line('old', {verdict: 'here', reason: 'it is here already as "older"'}),
];

/** The page, by way of the empty table. */
async function opened(engine: FakeEngine, size: {columns?: number; rows?: number} = {}) {
	const screen = open(engine, size);
	await screen.waitFor('Welcome to drover');
	await screen.press(keys.esc);
	await screen.waitFor('No instances in QEMU yet.');
	return screen;
}

describe('import', () => {
	test('is offered where there are no instances, if a Multipass has some', async () => {
		const screen = await opened(engineWith(some));
		await screen.waitFor('I  imports the instances that Multipass has here');
		const bare = await opened(engineWith([]));
		expect(bare.text()).not.toContain('Multipass');
	});

	test.each([
		[80, 24],
		[120, 40],
	])('shows what would be done at %ix%i, and does it after a yes', async (columns, rows) => {
		const engine = engineWith(some);
		const screen = await opened(engine, {columns, rows});
		await screen.press('I');
		await screen.waitFor('Multipass -> QEMU     nothing has been changed yet');
		expect(screen.text()).toMatch(/> web +Stopped +import +1\.0G, 2 cpu, 1\.0G memory/);
		expect(screen.text()).toMatch(/ db +Running +stays +it runs/);
		expect(screen.text()).toMatch(/ old +Stopped +is here +it is here already as "older"/);
		expect(screen.text()).toContain('Its snapshot stays with Multipass');
		expect(screen.text()).toContain('The same on the command line: drover import multipass');
		await screen.press('j');
		await screen.waitFor('db: it runs. Stop it first: multipass stop db');
		await screen.press(keys.enter);
		await screen.waitFor('Import web?');
		expect(screen.text()).toContain('1 is left where it is.');
		await screen.press('n');
		await screen.waitFor('Nothing was done.');
		expect(engine.calls.map(({method}) => method)).not.toContain('importInstances');
		await screen.press(keys.enter);
		await screen.waitFor('Import web?');
		await screen.press('y');
		await screen.waitFor('import web: done');
		expect(engine.calls.filter(({method}) => method === 'importInstances')).toEqual([
			{method: 'importInstances', request: {by: 'kim'}},
		]);
	});

	test('one that failed is begun anew from its page', async () => {
		const engine = engineWith(some);
		const screen = await opened(engine);
		engine.putOperation({
			id: '7',
			kind: 'import',
			title: 'import web',
			by: 'kim',
			state: 'failed',
			items: [
				{target: 'web', state: 'failed', stage: 'copying the disk', error: {code: 'host.disk-full', message: 'full'}},
			],
			cancellable: false,
			createdAt: 1,
			endedAt: 2,
		});
		await screen.press('b');
		await screen.waitFor('import web');
		await screen.press('r');
		await screen.waitFor('An import is begun anew: esc, then I shows what there is.');
	});

	test('on the smallest screen one chooses among the rows', async () => {
		const screen = await opened(engineWith(some), {columns: 40, rows: 10});
		await screen.press('I');
		await screen.waitFor('> web');
	});

	test('tells where there is nothing, and what keeps it from looking', async () => {
		const engine = engineWith([]);
		engine.importable = {...engine.importable, problems: ['/var/multipass may not be read by kim.']};
		const screen = await opened(engine);
		await screen.press('I');
		await screen.waitFor('Multipass has no instances in /var/multipass.');
		expect(screen.text()).toContain('/var/multipass may not be read by kim.');
		await screen.press(keys.enter);
		await screen.waitFor('There is nothing to import.');
	});
});
