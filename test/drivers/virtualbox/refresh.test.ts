import {rename} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {expect, onTestFinished, test} from 'vitest';
import {createVirtualBoxDriver} from '../../../source/drivers/virtualbox/driver.ts';
import {machineName} from '../../../source/drivers/virtualbox/files.ts';
import {scratchPaths} from '../../support/scratch.ts';
import {type Furnished, furnish} from '../../support/virtualbox/furnish.ts';
import type {Behaviour} from '../../support/virtualbox/service/world.ts';
import {standIn} from '../../support/virtualbox/stand-in.ts';

const states: readonly [string, string][] = [
	['running', 'running'],
	['poweroff', 'off'],
	['aborted', 'off'],
	['saved', 'suspended'],
	['aborted-saved', 'suspended'],
	['paused', 'paused'],
	['gurumeditation', 'unresponsive'],
	['saving', 'paused'],
	['restoring', 'loading'],
	['teleporting', 'running'],
];

async function world(count: number, behaviour: Behaviour = {}) {
	const paths = scratchPaths();
	const stand = await standIn(behaviour);
	onTestFinished(() => stand.close());
	const wanted = Array.from({length: count}, (_, index) => states[index % states.length]!);
	const machines = await furnish(
		stand,
		paths,
		wanted.map(([state]) => state),
	);
	const driver = createVirtualBoxDriver({
		paths,
		program: stand.program,
		host: {platform: 'darwin', architecture: 'x64', environment: process.env},
	});
	// The service is there, as it is wherever something runs.
	await stand.warm();
	await driver.health();
	const look = async (of: readonly Furnished[] = machines) => {
		const before = (await stand.calls()).length;
		const found = await Promise.all(of.map(({record, place}) => driver.observe(record, place)));
		return {found, calls: (await stand.calls()).slice(before)};
	};
	/** On a busy host the long list is not waited for: until it has been heard of. */
	const settled = async () => {
		for (let tries = 0; tries < 200; tries++) {
			const looked = await look();
			expect(looked.calls.length).toBeLessThanOrEqual(3);
			if (looked.found.some(({power}) => power === 'paused')) return looked;
			await new Promise(resolve => setTimeout(resolve, 50));
		}
		throw new Error('the long list never came');
	};
	return {paths, stand, driver, machines, wanted, look, settled};
}

test('fifty machines are looked at with three processes at most, and each has its state', {
	timeout: 60_000,
}, async () => {
	const {wanted, settled, look} = await world(50);
	const {found} = await settled();
	expect(found.map(({power}) => power)).toEqual(wanted.map(([, power]) => power));
	for (let round = 0; round < 3; round++) {
		const {calls} = await look();
		expect(calls.length).toBeLessThanOrEqual(3);
		expect(new Set(calls)).toContain('list vms');
		expect(new Set(calls)).toContain('list runningvms');
	}
	expect(found[0]).toMatchObject({
		ssh: {host: '127.0.0.1', port: 20_000},
		runningSince: Date.UTC(2026, 10, 23, 7, 7, 1, 634),
		ipv4: [],
	});
	expect(found[1]).not.toHaveProperty('ssh');
	expect(found[5]!.reason).toMatch(/paused/);
});

test('a long list that never comes keeps nobody from being seen', async () => {
	const {look, wanted} = await world(10, {hangsLong: true});
	const {found, calls} = await look();
	expect(calls.length).toBeLessThanOrEqual(3);
	const running = wanted.map(([, power]) => (['off', 'suspended'].includes(power) ? power : 'running'));
	expect(found.map(({power}) => power)).toEqual(running);
	const again = await look();
	// It is not asked again while it is under way.
	expect(again.calls.filter(call => call.includes('--long'))).toEqual([]);
	expect(again.found.map(({power}) => power)).toEqual(running);
});

test('what was removed, cannot be read, or has lost a part is told as such, beside the others', async () => {
	const {machines, look, driver, stand, paths} = await world(3);
	const [running, off, aborted] = machines as [Furnished, Furnished, Furnished];
	const stranger: Furnished = {...off, record: {...off.record, id: '00000000-0000-4000-8000-000000000000'}};
	await rename(path.join(aborted.place.directory, 'disk.vdi'), path.join(aborted.place.directory, 'away'));
	const {found} = await look([running, stranger, aborted]);
	expect(found).toMatchObject([
		{power: 'running'},
		{power: 'unusable', reason: expect.stringMatching(/does not know it any more/)},
		{power: 'unusable', reason: 'its disk is missing'},
	]);
	// A launch that has not got so far is not broken.
	const {found: creating} = await look([{...stranger, record: {...stranger.record, phase: 'creating'}}]);
	expect(creating).toMatchObject([{power: 'off'}]);
	// Somebody renames it in VirtualBox's window: settings file and name change, the directory stays.
	const file = path.join(off.place.directory, machineName(off.record), `${machineName(off.record)}.vbox`);
	await rename(file, path.join(path.dirname(file), 'renamed.vbox'));
	expect((await look([off])).found).toMatchObject([{power: 'off'}]);
	driver.close?.();
	await stand.close();
	const gone = createVirtualBoxDriver({
		paths,
		program: stand.program,
		host: {platform: 'darwin', architecture: 'x64', environment: process.env},
	});
	expect(await gone.observe(off.record, off.place)).toMatchObject({power: 'unresponsive'});
});
