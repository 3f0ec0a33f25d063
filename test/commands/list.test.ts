import {expect, test} from 'vitest';
import {parse} from 'yaml';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const micro = {query: 'micro', release: 'Micro 1', os: 'drover', hash: `sha256:${'ab'.repeat(32)}`};
const noble = {query: 'noble', release: '24.04 LTS', os: 'ubuntu', hash: `sha256:${'cd'.repeat(32)}`};

const sample = () =>
	new FakeEngine({
		instances: [
			fakeInstance('amber-otter', 'Running', {image: noble, ipv4: ['10.97.0.7', '172.17.0.1']}),
			fakeInstance('build', 'Delayed Shutdown', {image: micro}),
			fakeInstance('gone', 'Deleted', {image: {...micro, release: 'Not Available', os: ''}}),
		],
	});

test('table', async () => {
	const {code, out, err} = await drover(['list'], {engine: sample()});
	expect(out).toBe(
		[
			'Name                    State             IPv4             Image',
			'amber-otter             Running           10.97.0.7        Ubuntu 24.04 LTS',
			'                                          172.17.0.1',
			'build                   Delayed Shutdown  --               Micro 1',
			'gone                    Deleted           --               Not Available',
			'',
		].join('\n'),
	);
	expect([code, err]).toEqual([0, '']);
});

test('a long name makes its column wider', async () => {
	const name = 'a-name-that-is-longer-than-24-columns';
	const {out} = await drover(['ls'], {engine: new FakeEngine({instances: [fakeInstance(name, 'Stopped')]})});
	expect(out.split('\n')[1]).toBe(`${name}   Stopped           --               Micro 1`);
});

test('csv', async () => {
	const {out} = await drover(['list', '--format', 'csv'], {engine: sample()});
	expect(out).toBe(
		[
			'Name,State,IPv4,IPv6,Release,AllIPv4',
			'amber-otter,Running,10.97.0.7,,Ubuntu 24.04 LTS,"10.97.0.7,172.17.0.1"',
			'build,Delayed Shutdown,,,Micro 1,""',
			'gone,Deleted,,,Not Available,""',
			'',
		].join('\n'),
	);
});

test('json', async () => {
	const {out} = await drover(['list', '--format=json'], {engine: sample()});
	expect(out.startsWith('{\n    "list": [\n        {\n            "name": "amber-otter",\n')).toBe(true);
	expect(JSON.parse(out)).toEqual({
		list: [
			{name: 'amber-otter', state: 'Running', ipv4: ['10.97.0.7', '172.17.0.1'], release: 'Ubuntu 24.04 LTS'},
			{name: 'build', state: 'Delayed Shutdown', ipv4: [], release: 'Micro 1'},
			{name: 'gone', state: 'Deleted', ipv4: [], release: 'Not Available'},
		],
	});
	expect(Object.keys(JSON.parse(out).list[0])).toEqual(['name', 'state', 'ipv4', 'release']);
});

test('yaml', async () => {
	const {out} = await drover(['list', '--format', 'yaml'], {engine: sample()});
	expect(out).toBe(
		[
			'amber-otter:',
			'  - state: Running',
			'    ipv4:',
			'      - 10.97.0.7',
			'      - 172.17.0.1',
			'    release: Ubuntu 24.04 LTS',
			'build:',
			'  - state: Delayed Shutdown',
			'    ipv4: []',
			'    release: Micro 1',
			'gone:',
			'  - state: Deleted',
			'    ipv4: []',
			'    release: Not Available',
			'',
		].join('\n'),
	);
	expect(Object.keys(parse(out))).toEqual(['amber-otter', 'build', 'gone']);
});

test.each([
	['table', 'No instances found.\n'],
	['csv', 'Name,State,IPv4,IPv6,Release,AllIPv4\n'],
	['json', '{\n    "list": []\n}\n'],
	['yaml', '{}\n'],
])('nothing there, as %s', async (format, text) => {
	expect((await drover(['list', '--format', format])).out).toBe(text);
});

test('without addresses', async () => {
	const {out} = await drover(['list', '--no-ipv4', '--format', 'csv'], {engine: sample()});
	expect(out).toContain('amber-otter,Running,,,Ubuntu 24.04 LTS,""\n');
});

test('text from outside is made plain and cannot break a row', async () => {
	const evil = fakeInstance('web', 'Running', {image: {...micro, release: 'A\u001B[2J,"B"\nC'}});
	const engine = new FakeEngine({instances: [evil]});
	expect((await drover(['list', '--format', 'csv'], {engine})).out.split('\n')[1]).toBe('web,Running,,,"A,""B"" C",""');
	expect((await drover(['list'], {engine})).out.split('\n')[1]).toMatch(/A,"B" C$/);
	expect((await drover(['list', '--format', 'yaml'], {engine})).out).toContain('release: "A,\\"B\\" C"');
});

test.each([
	[['list', 'web'], 1, 'list failed: This command takes no arguments.\n'],
	[
		['list', '--format', 'xml'],
		1,
		'list failed: Invalid format type given.\nValid formats are table, json, csv, yaml.\n',
	],
	[['list', '--snapshots', '--no-ipv4'], 1, /clash|not applicable/],
])('%j is refused without the daemon', async (argv, code, message) => {
	const outcome = await drover(argv, {engine: sample()});
	expect(outcome.code).toBe(code);
	expect(outcome.err).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
	expect(outcome.out).toBe('');
	expect(outcome.connections).toBe(0);
});

test('no daemon', async () => {
	const engine = sample();
	engine.isAway = true;
	const {code, err} = await drover(['info'], {engine});
	expect([code, err]).toEqual([3, 'info failed: cannot reach the drover daemon\n']);
});

test('where an instance is and what it is, in data only', async () => {
	const engine = new FakeEngine({
		instances: [fakeInstance('web', 'Running', {member: 'node1', kind: 'virtual-machine'}), fakeInstance('xyz')],
	});
	const {list} = JSON.parse((await drover(['list', '--format', 'json'], {engine})).out);
	expect(list[0]).toMatchObject({name: 'web', type: 'virtual-machine', member: 'node1'});
	expect(Object.keys(list[1])).toEqual(['name', 'state', 'ipv4', 'release']);
	expect((await drover(['list', '--format', 'yaml'], {engine})).out).toContain('    member: node1\n');
	expect((await drover(['list'], {engine})).out).not.toContain('node1');
});
