import {readFileSync} from 'node:fs';
import path from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {selftest} from '../../scripts/hyperv-selftest.ts';
import {HypervWorld} from '../support/hyperv/world.ts';

function open() {
	const world = new HypervWorld({guests: 'deaf'});
	onTestFinished(() => world.close());
	const said: string[] = [];
	const out = path.join(world.state.directory, 'recording.jsonl');
	const entries = () =>
		readFileSync(out, 'utf8')
			.trim()
			.split('\n')
			.map(line => JSON.parse(line) as Record<string, unknown>);
	return {world, said, out, entries, options: {tools: world.tools, out, say: (line: string) => void said.push(line)}};
}

test('the self-test goes through everything, records it and leaves nothing', {timeout: 120_000}, async () => {
	const {world, options, said, entries} = open();
	const theirs = {
		...{vm: 'theirs', name: 'their own', notes: 'important', place: '/elsewhere', disk: '', seed: '', cpus: 1},
		...{memory: 1, secureBoot: false, nics: [], checkpoints: []},
	};
	world.state.put(theirs);
	expect(await selftest(options)).toEqual([]);
	expect(said).toContain('Everything worked.');
	expect(world.state.machines()).toEqual([theirs]);
	const steps = entries().filter(entry => 'step' in entry);
	expect(steps.map(({step}) => step)).toEqual(
		expect.arrayContaining(['health', 'create', 'restore', 'clone', 'start']),
	);
	const asked = entries().flatMap(({to}) => (typeof to === 'string' ? [(JSON.parse(to) as {op: string}).op] : []));
	const needed = ['list', 'inspect', 'networks', 'sample', 'create', 'resize', 'copy-disk', 'start', 'shut-down'];
	expect(new Set(asked)).toEqual(
		new Set([
			...needed,
			'health',
			'watch',
			'turn-off',
			'remove',
			'snapshot-take',
			'snapshot-restore',
			'snapshot-remove',
		]),
	);
	expect(entries().some(({from}) => typeof from === 'string' && from.includes('"ok":true'))).toBe(true);
});

test('a step that fails is told and recorded, and it is cleaned up all the same', {timeout: 120_000}, async () => {
	const {world, options, said, entries} = open();
	const error = {id: 'Unspecified,X', category: 'NotSpecified', hresult: -2147467259, message: 'Unbekannter Fehler'};
	world.state.faults = [{op: 'copy-disk', kind: 'error', times: 1, error}];
	expect(await selftest(options)).toEqual(['clone']);
	expect(said.find(line => line.includes('FAILED'))).toContain('clone: Hyper-V failed at cloning the instance');
	expect(entries().some(({from}) => typeof from === 'string' && from.includes('-2147467259'))).toBe(true);
	expect(world.state.machines()).toEqual([]);
});
