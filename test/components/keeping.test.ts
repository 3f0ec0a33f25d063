import {describe, expect, test} from 'vitest';
import {treeRows} from '../../source/components/store/snapshots.ts';
import type {DriverInfo} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {SnapshotView} from '../../source/model/snapshot.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {keys} from '../support/screen.ts';
import {open} from './opened.ts';

const able = () => fakeDriver('qemu', {features: [...fakeDriver('qemu').features, 'snapshots', 'clone']});

/** The requests of a method that reached the engine. */
const requests = (engine: FakeEngine, method: string) =>
	engine.calls.filter(call => call.method === method).map(call => call.request);

function snapshot(name: string, parent?: string, more: Partial<SnapshotView> = {}): SnapshotView {
	return {
		name,
		comment: '',
		createdAt: '2026-11-20T10:12:00.000Z',
		state: 'Stopped',
		hardware: {cpus: 2, memory: 2 ** 30, disk: 5 * 2 ** 30},
		mounts: [],
		children: [],
		...(parent === undefined ? {} : {parent}),
		...more,
	};
}

const tree = {
	name: 'web',
	head: 'schema',
	snapshots: [
		snapshot('base', undefined, {children: ['schema']}),
		snapshot('schema', 'base', {children: ['before', 'other'], comment: 'new tables\nand more'}),
		snapshot('before', 'schema', {state: 'Running'}),
		snapshot('other', 'schema'),
	],
};

describe('the tree of snapshots', () => {
	const drawn = (of: Parameters<typeof treeRows>[0]) =>
		treeRows(of).map(({branch, snapshot: at}) => `${branch}${at?.name ?? '* now'}`);

	test('has each below the one it came from, and the present where it belongs', () => {
		expect(drawn(tree)).toEqual(['base', '└─ schema', '   ├─ before', '   ├─ other', '   └─ * now']);
		expect(drawn({...tree, head: 'base'})).toEqual(['base', '├─ schema', '│  ├─ before', '│  └─ other', '└─ * now']);
		expect(drawn({snapshots: []})).toEqual(['* now']);
		expect(drawn({snapshots: [snapshot('a'), snapshot('b')], head: 'b'})).toEqual(['a', 'b', '└─ * now']);
	});
});

describe('the page of snapshots', () => {
	async function page(state: 'Stopped' | 'Running' | 'Suspended' = 'Stopped', driver = able()) {
		const engine = new FakeEngine({instances: [fakeInstance('web', state)], driver});
		engine.trees.set('web', tree);
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press('p');
		await screen.waitFor('└─ * now');
		return {engine, screen};
	}

	test('shows the tree and what the chosen one is', async () => {
		const {screen} = await page();
		expect(screen.text()).toMatch(/> base/);
		await screen.press('j');
		await screen.waitFor(/> └─ schema .*new tables/);
		expect(screen.text()).toMatch(/and more/);
		expect(screen.text()).toContain('drover restore web.schema');
		await screen.press('j');
		await screen.waitFor('while it ran: the disk as after a power cut');
		expect(screen.text()).toContain('Instances > web > snapshots');
	});

	test('takes one, with a name that is checked and a comment', async () => {
		const {engine, screen} = await page();
		await screen.press('n', ...'other');
		await screen.waitFor('it has one of this name already');
		await screen.press(keys.ctrlU, ...'new', keys.tab, ...'for tests');
		await screen.waitFor("drover snapshot web --name new --comment 'for tests'");
		await screen.press(keys.tab, keys.enter);
		await expect
			.poll(() => requests(engine, 'snapshot'))
			.toEqual([{name: 'web', snapshot: 'new', comment: 'for tests', by: 'kim'}]);
		// The form closes, and the tree is read again when it has been taken.
		await screen.waitFor('└─ * now');
		await expect.poll(() => requests(engine, 'snapshots').length).toBeGreaterThan(1);
	});

	test('restores after a question, with the present kept unless its loss is typed', async () => {
		const {engine, screen} = await page();
		await screen.press('j', keys.enter);
		await screen.waitFor('Restore web.schema?');
		expect(screen.text()).toContain('a snapshot is taken of it before');
		await screen.press('y');
		await expect
			.poll(() => requests(engine, 'restore'))
			.toEqual([{name: 'web', snapshot: 'schema', destructive: false, by: 'kim'}]);
		await screen.press('o');
		await screen.waitFor('throw the present away?');
		expect(screen.text()).toContain('drover restore --destructive web.schema');
		await screen.press(...'web', keys.enter);
		await expect.poll(() => requests(engine, 'restore')).toHaveLength(2);
		expect(requests(engine, 'restore')[1]).toMatchObject({destructive: true});
	});

	test('deletes after a question', async () => {
		const {engine, screen} = await page();
		await screen.press('j', 'x');
		await screen.waitFor('Delete snapshot web.schema?');
		expect(screen.text()).toContain('2 that came from it are shown below its parent then.');
		await screen.press('y');
		await expect
			.poll(() => requests(engine, 'deleteSnapshots'))
			.toEqual([{name: 'web', snapshots: ['schema'], by: 'kim'}]);
	});

	test('renames and comments: the comment first, by the name it still has', async () => {
		const {engine, screen} = await page();
		await screen.press('e');
		await screen.waitFor('Change snapshot web.base');
		await screen.press(keys.ctrlU, ...'root', keys.tab, ...'the first');
		await screen.waitFor('drover set local.web.base.name=root');
		await screen.press(keys.tab, keys.enter);
		await expect
			.poll(() => requests(engine, 'set'))
			.toMatchObject([
				{key: 'local.web.base.comment', value: 'the first'},
				{key: 'local.web.base.name', value: 'root'},
			]);
		await screen.waitFor('The snapshot is changed.');
	});

	test('says what cannot be done as the instance is', async () => {
		const {engine, screen} = await page('Running');
		expect(screen.text()).toContain('None can be taken or restored now: only while it is stopped.');
		await screen.press('r');
		await screen.waitFor('Not now: only while it is stopped.');
		const live = await page('Running', {...able(), snapshotsLive: true});
		expect(live.screen.text()).toContain('None can be restored now: only while it is stopped.');
		await live.screen.press('n');
		await live.screen.waitFor('Take a snapshot of web');
		const suspended = await page('Suspended');
		expect(suspended.screen.text()).toContain('restored now: it is suspended');
		expect(requests(engine, 'restore')).toEqual([]);
	});

	test('is not there under a driver that has none', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')], driver: fakeDriver('lxd')});
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press('p');
		await screen.waitFor(/Snapshots: not supported by LXD/);
	});
});

describe('the form that duplicates', () => {
	const linking = (): DriverInfo => {
		const driver = able();
		return {...driver, features: [...driver.features, 'linkedClone' as const]};
	};
	async function form(driver = linking(), more: Parameters<typeof fakeInstance>[2] = {}) {
		const engine = new FakeEngine({
			instances: [fakeInstance('api', 'Stopped'), fakeInstance('web', 'Stopped', more)],
			driver,
		});
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press('j', 'd');
		await screen.waitFor('Duplicate web');
		return {engine, screen};
	}

	test('makes a full copy, whose name the engine chooses, when nothing is said', async () => {
		const {engine, screen} = await form();
		expect(screen.text()).toContain('blank = web-cloneN');
		expect(screen.text()).toMatch(/\(x\) full copy +\( \) linked/);
		expect(screen.text()).toContain('drover clone web');
		expect(requests(engine, 'clone')).toEqual([]);
		await screen.press(keys.enter, keys.enter, keys.enter);
		await expect.poll(() => requests(engine, 'clone')).toEqual([{name: 'web', by: 'kim'}]);
		await screen.waitFor('web-clone1');
	});

	test('makes a linked one, and says what that is; the name is checked', async () => {
		const {engine, screen} = await form();
		await screen.press(...'api');
		await screen.waitFor('there is one of this name already');
		await screen.press(keys.ctrlU, ...'two', keys.tab, ' ');
		await screen.waitFor('drover clone web --name two --linked');
		expect(screen.text()).toContain('both share it, and either can be deleted');
		await screen.press(keys.tab, keys.enter);
		await expect.poll(() => requests(engine, 'clone')).toEqual([{name: 'web', as: 'two', linked: true, by: 'kim'}]);
	});

	test('says why it cannot be a linked one, and keeps what is typed when it is refused', async () => {
		const {engine, screen} = await form(linking(), {snapshotCount: 1});
		expect(screen.text()).toMatch(/\(x\) full copy +\(-\) linked/);
		expect(screen.text()).toMatch(/Not\s+linked:\s+it\s+has\s+snapshots/);
		await screen.press(...'two', keys.tab, ' ', keys.tab);
		expect(screen.text()).not.toContain('--linked');
		engine.clone = () => Promise.reject(new DroverError('host.disk-full', 'There is no space left.'));
		await screen.press(keys.enter);
		await screen.waitFor('There is no space left.');
		expect(screen.text()).toContain('drover clone web --name two');
		const other = await form(able());
		expect(other.screen.text()).toMatch(/Not\s+linked:\s+linked\s+clones\s+are\s+not\s+in\s+this\s+version/);
		const pool = await form({...able(), sharesByItself: true});
		expect(pool.screen.text()).toMatch(/every\s+clone\s+shares\s+what\s+neither\s+has/);
	});

	test('of several at once is not opened, and it is said', async () => {
		const engine = new FakeEngine({
			instances: [fakeInstance('api', 'Stopped'), fakeInstance('web', 'Stopped')],
			driver: able(),
		});
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press(' ', 'j', ' ', 'd');
		await screen.waitFor('one instance at a time');
		expect(requests(engine, 'clone')).toEqual([]);
	});
});
