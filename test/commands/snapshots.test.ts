import {describe, expect, test} from 'vitest';
import {parse} from 'yaml';
import type {Mount} from '../../source/model/mount.ts';
import {gibibyte, mebibyte} from '../../source/model/sizes.ts';
import type {SnapshotView} from '../../source/model/snapshot.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const src: Mount = {
	source: '/home/kim/src',
	target: '/home/ubuntu/src',
	type: 'native',
	uidMap: [{host: 1000, guest: -1}],
	gidMap: [{host: 1000, guest: -1}],
};

const view = (name: string, more: Partial<SnapshotView> = {}): SnapshotView => ({
	name,
	comment: '',
	createdAt: '2026-01-02T03:04:05.006Z',
	state: 'Stopped',
	hardware: {cpus: 2, memory: 512 * mebibyte, disk: 5 * gibibyte},
	mounts: [],
	children: [],
	...more,
});

function sample(): FakeEngine {
	const engine = new FakeEngine({
		instances: [fakeInstance('web', 'Stopped'), fakeInstance('db', 'Stopped'), fakeInstance('empty', 'Stopped')],
	});
	engine.trees.set('web', {
		name: 'web',
		head: 'hot',
		snapshots: [
			view('base', {comment: 'as it was, fresh\nand more', children: ['next', 'hot']}),
			view('next', {parent: 'base', mounts: [src], comment: 'x'.repeat(60)}),
			view('hot', {parent: 'base', state: 'Running', comment: 'say "hi", all\u001B[2J'}),
		],
	});
	engine.trees.set('db', {name: 'db', head: 'one', snapshots: [view('one')]});
	return engine;
}

const asked = (engine: FakeEngine, method: string) =>
	engine.calls.filter(call => call.method === method).map(({request}) => request);

describe('list --snapshots', () => {
	test('table: a comment is cut at its first line, and at fifty columns', async () => {
		expect((await drover(['list', '--snapshots'], {engine: sample()})).out).toBe(`Instance   Snapshot   Parent   Comment
db         one        --       --
web        base       --       as it was, fresh…
web        next       base     ${'x'.repeat(49)}…
web        hot        base     say "hi", all
`);
		expect((await drover(['list', '--snapshots'])).out).toBe('No snapshots found.\n');
	});

	test('csv, json, yaml', async () => {
		const engine = sample();
		expect(
			(await drover(['ls', '--snapshots', '--format', 'csv'], {engine})).out,
		).toBe(`Instance,Snapshot,Parent,Comment
db,one,,""
web,base,,"as it was, fresh
and more"
web,next,base,"${'x'.repeat(60)}"
web,hot,base,"say ""hi"", all"
`);
		const json = JSON.parse((await drover(['list', '--snapshots', '--format', 'json'], {engine})).out);
		expect(json).toEqual({
			errors: [],
			info: {
				db: {one: {parent: '', comment: ''}},
				web: {
					base: {parent: '', comment: 'as it was, fresh\nand more'},
					next: {parent: 'base', comment: 'x'.repeat(60)},
					hot: {parent: 'base', comment: expect.stringContaining('say "hi", all')},
				},
			},
		});
		const {out} = await drover(['list', '--snapshots', '--format', 'yaml'], {engine});
		expect(out).toContain('  - one:\n      - parent: ~\n        comment: ~\n');
		expect(parse(out).web[1]).toEqual({next: [{parent: 'base', comment: 'x'.repeat(60)}]});
	});

	test('an instance whose snapshots cannot be told is named, and the others are told', async () => {
		const engine = sample();
		engine.trees.set('db', {name: 'db', snapshots: [], problem: 'the file is empty'});
		const {out, err, code} = await drover(['list', '--snapshots'], {engine});
		expect(err).toBe('db: its snapshots cannot be used: the file is empty\n');
		expect([code, out.split('\n').length]).toEqual([0, 5]);
	});
});

describe('info', () => {
	test('of snapshots: those named, those of instances, or all', async () => {
		const engine = sample();
		expect((await drover(['info', 'web.next', 'web.base'], {engine})).out).toBe(`Snapshot:       base
Instance:       web
CPU(s):         2
Disk space:     5.0GiB
Memory size:    512.0MiB
Mounts:         --
Created:        2026-01-02T03:04:05.006Z
Parent:         --
Children:       next
                hot
Comment:        as it was, fresh
                and more

Snapshot:       next
Instance:       web
CPU(s):         2
Disk space:     5.0GiB
Memory size:    512.0MiB
Mounts:         /home/kim/src => /home/ubuntu/src
                    UID map: 1000:default
                    GID map: 1000:default
Created:        2026-01-02T03:04:05.006Z
Parent:         base
Children:       --
Comment:        ${'x'.repeat(60)}
`);
		const names = (out: string) => [...out.matchAll(/^Snapshot: +(\S+)$/gm)].map(match => match[1]);
		expect(names((await drover(['info', '--snapshots'], {engine})).out)).toEqual(['one', 'base', 'next', 'hot']);
		expect(names((await drover(['info', '--snapshots', 'db', 'web.hot'], {engine})).out)).toEqual(['one', 'hot']);
		expect((await drover(['info', '--snapshots', 'empty'], {engine})).out).toBe('No snapshots found.\n');
		// No guest is asked for them.
		expect(asked(engine, 'info')).toEqual([]);
	});

	test('of instances and snapshots together, but in CSV', async () => {
		const engine = sample();
		const {out} = await drover(['info', 'db', 'web.next', 'db.one'], {engine});
		expect(out).toMatch(/^Name: +db\n[\s\S]*\n\nSnapshot: +one\n[\s\S]*\n\nSnapshot: +next\n/);
		const {info} = JSON.parse((await drover(['info', 'db', 'web.next', 'db.one', '--format', 'json'], {engine})).out);
		expect(info.db).toMatchObject({state: 'Stopped', snapshots: {one: {parent: '', children: []}}});
		expect(Object.keys(info.web)).toEqual(['snapshots']);
		expect(await drover(['info', 'db', 'web.next', '--format', 'csv'], {engine})).toMatchObject({code: 1, out: ''});
		const yaml = parse((await drover(['info', 'db', 'db.one', '--format', 'yaml'], {engine})).out);
		expect(yaml.db).toHaveLength(1);
		expect(yaml.db[0]).toMatchObject({state: 'Stopped', snapshots: [{one: {size: null, parent: null}}]});
	});

	test('json, csv and yaml of snapshots', async () => {
		const engine = sample();
		expect(JSON.parse((await drover(['info', 'web.next', '--format', 'json'], {engine})).out)).toEqual({
			errors: [],
			info: {
				web: {
					snapshots: {
						next: {
							size: '',
							cpu_count: '2',
							disk_space: '5.0GiB',
							memory_size: '512.0MiB',
							mounts: {
								'/home/ubuntu/src': {
									uid_mappings: ['1000:default'],
									gid_mappings: ['1000:default'],
									source_path: '/home/kim/src',
								},
							},
							created: '2026-01-02T03:04:05.006Z',
							parent: 'base',
							children: [],
							comment: 'x'.repeat(60),
						},
					},
				},
			},
		});
		expect((await drover(['info', 'web.base', '--format', 'csv'], {engine})).out).toBe(
			`Snapshot,Instance,CPU(s),Disk space,Memory size,Mounts,Created,Parent,Children,Comment
base,web,2,5.0GiB,512.0MiB,,2026-01-02T03:04:05.006Z,,next;hot,"as it was, fresh
and more"
`,
		);
		const yaml = parse((await drover(['info', 'web.hot', '--format', 'yaml'], {engine})).out);
		expect(yaml.web[0].snapshots[0].hot).toMatchObject({cpu_count: 2, parent: 'base', mounts: null, children: []});
	});

	test('what is not there is refused as a whole', async () => {
		const engine = sample();
		expect(await drover(['info', 'web.base', 'web.gone'], {engine})).toMatchObject({
			code: 2,
			out: '',
			err: 'info failed: instance "web" has no snapshot "gone"\ndrover info --snapshots web shows those it has.\n',
		});
	});
});

describe('snapshot and restore', () => {
	test('say what was done', async () => {
		const engine = sample();
		expect((await drover(['snapshot', 'web'], {engine})).out).toBe('Snapshot taken: web.snapshot1\n');
		expect((await drover(['snapshot', 'web', '-n', 'a', '-m', 'why'], {engine})).out).toBe('Snapshot taken: web.a\n');
		await drover(['snapshot', '--comment', 'two\nlines', 'web'], {engine});
		expect(asked(engine, 'snapshot')).toEqual([
			{name: 'web', by: 'kim'},
			{name: 'web', by: 'kim', snapshot: 'a', comment: 'why'},
			{name: 'web', by: 'kim', comment: 'two\nlines'},
		]);
		expect((await drover(['restore', 'web.base', '-d'], {engine})).out).toBe('Snapshot restored: web.base\n');
		expect(asked(engine, 'restore')).toEqual([{name: 'web', snapshot: 'base', destructive: true, by: 'kim'}]);
	});

	test.each([
		['\n', false],
		['Yes', false],
		['y', false],
		['no', true],
		['N', true],
	])('restore asks on a terminal whether the present is kept: %j', async (stdin, destructive) => {
		const engine = sample();
		const {out, code} = await drover(['restore', 'web.base'], {engine, isTTY: true, stdin});
		expect(out).toContain('Take a snapshot of web as it is now before it is restored? (Yes/no):');
		expect(code).toBe(0);
		expect(asked(engine, 'restore')).toMatchObject([{destructive}]);
	});

	test('refusals', async () => {
		const engine = sample();
		expect(await drover(['restore', 'web.base'], {engine})).toMatchObject({code: 1});
		expect(await drover(['restore', 'web.gone'], {engine})).toMatchObject({
			code: 2,
			err: expect.stringContaining('no snapshot "gone"'),
		});
		for (const argv of [
			['restore', 'web'],
			['restore', 'web.a.b', '-d'],
			['restore'],
			['snapshot'],
			['snapshot', 'a', 'b'],
		]) {
			expect(await drover(argv, {engine})).toMatchObject({code: 1, connections: 0, out: ''});
		}
		expect(await drover(['restore', 'web.gone', '-d'], {engine})).toMatchObject({code: 2, out: ''});
		expect(await drover(['snapshot', 'nobody'], {engine})).toMatchObject({code: 2});
		expect(asked(engine, 'restore')).toEqual([]);
	});
});

test('what cannot be restored now is not asked about, and nothing could be lost should it become possible meanwhile', async () => {
	const engine = sample();
	engine.instances.set('web', fakeInstance('web', 'Running'));
	const {out} = await drover(['restore', 'web.base'], {engine, isTTY: true, stdin: 'no'});
	expect(out).not.toContain('(Yes/no)');
	expect(asked(engine, 'restore')).toMatchObject([{destructive: false}]);
});

describe('delete', () => {
	test('snapshots are purged, for good: that has to be said', async () => {
		const engine = sample();
		expect(await drover(['delete', 'web.base'], {engine})).toMatchObject({code: 1, connections: 0});
		expect(await drover(['delete', 'web.base'], {engine, isTTY: true, stdin: 'no'})).toMatchObject({
			code: 2,
			err: 'Nothing was changed.\n',
		});
		expect(asked(engine, 'deleteSnapshots')).toEqual([]);
		expect(await drover(['delete', 'web.base'], {engine, isTTY: true, stdin: 'yes'})).toMatchObject({code: 0});
		expect(await drover(['delete', '-p', 'web.next', 'db.one', 'web.hot'], {engine})).toMatchObject({code: 0, out: ''});
		expect(asked(engine, 'deleteSnapshots')).toEqual([
			{name: 'web', snapshots: ['base'], by: 'kim'},
			{name: 'web', snapshots: ['next', 'hot'], by: 'kim'},
			{name: 'db', snapshots: ['one'], by: 'kim'},
		]);
		expect(asked(engine, 'act')).toEqual([]);
	});

	test('with instances: all names are looked at first; what goes with its instance needs no work of its own', async () => {
		const engine = sample();
		for (const names of [
			['db', 'web.gone'],
			['nobody', 'web.base'],
			['db', 'nobody.base'],
		]) {
			expect(await drover(['delete', '--purge', ...names], {engine})).toMatchObject({code: 2});
		}
		expect([...asked(engine, 'act'), ...asked(engine, 'deleteSnapshots')]).toEqual([]);
		await drover(['delete', '--purge', 'db', 'db.one', 'web.base'], {engine});
		expect(asked(engine, 'deleteSnapshots')).toEqual([{name: 'web', snapshots: ['base'], by: 'kim'}]);
		expect(asked(engine, 'act')).toEqual([{action: 'delete', names: ['db'], by: 'kim', options: {purge: true}}]);
		expect(await drover(['delete', '--all', 'web.base'], {engine})).toMatchObject({code: 1});
	});
});

test('clone', async () => {
	const engine = sample();
	expect((await drover(['clone', 'web'], {engine})).out).toBe('Cloned from web to web-clone1.\n');
	expect((await drover(['clone', 'web', '--name', 'other'], {engine})).out).toBe('Cloned from web to other.\n');
	expect(asked(engine, 'clone')).toEqual([
		{name: 'web', by: 'kim'},
		{name: 'web', by: 'kim', as: 'other'},
	]);
	expect((await drover(['clone', '--linked', 'web', '-n', 'two'], {engine})).out).toBe('Cloned from web to two.\n');
	expect(asked(engine, 'clone').at(-1)).toEqual({name: 'web', by: 'kim', as: 'two', linked: true});
	expect((await drover(['help', 'clone'])).out).toMatch(/--linked +Copy nothing: share what the disk has now/);
	expect(await drover(['clone'], {engine})).toMatchObject({code: 1, connections: 0});
	expect(await drover(['clone', 'nobody'], {engine})).toMatchObject({code: 2});
});

test('get --keys names those of snapshots, too', async () => {
	const {out} = await drover(['get', '--keys'], {engine: sample()});
	expect(out).toContain('local.web.base.comment\nlocal.web.base.name\n');
});
