import {readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));

async function launch(engine: Engine, name: string) {
	await engine.wait({id: (await engine.launch({name, by})).id});
}

async function damaged() {
	const paths = scratchPaths();
	const hypervisor = new SimulatedHypervisor();
	const {engine: first} = await simulatedEngine(paths, {hypervisor});
	await launch(first, 'web');
	await first.close();
	const directory = instanceDirectory(paths, 'qemu', 'web');
	writeFileSync(path.join(directory, 'instance.json'), '{"sch');
	return {paths, hypervisor, directory};
}

test('adopt puts the last good record back, keeps the one that could not be read, and finds the machine running', async () => {
	const {paths, hypervisor, directory} = await damaged();
	const {engine} = await simulatedEngine(paths, {hypervisor});
	const [broken] = await engine.list();
	expect(broken).toMatchObject({state: 'Broken', reason: expect.stringContaining('its machine runs as process 4242')});
	expect(broken?.reason).toContain('"drover adopt web"');
	await expect(engine.forget({name: 'web', by})).rejects.toMatchObject({code: 'instance.state'});
	expect(await engine.adopt({name: 'web', by})).toMatchObject({name: 'web', state: 'Running'});
	expect(await states(engine)).toEqual({web: 'Running'});
	const kept = readdirSync(directory).find(name => name.includes('unreadable'));
	expect(readFileSync(path.join(directory, kept!), 'utf8')).toBe('{"sch');
	await expect(engine.adopt({name: 'web', by})).rejects.toMatchObject({code: 'instance.state'});
});

test('forget sets the files aside and removes none; the name is free again', async () => {
	const {paths, hypervisor, directory} = await damaged();
	hypervisor.machines.clear();
	rmSync(path.join(directory, 'instance.json.last'));
	const {engine} = await simulatedEngine(paths, {hypervisor});
	await expect(engine.adopt({name: 'web', by})).rejects.toMatchObject({code: 'instance.broken'});
	const {keptIn} = await engine.forget({name: 'web', by});
	expect(readdirSync(keptIn!)).toEqual(expect.arrayContaining(['instance.json', 'disk']));
	expect(await engine.list()).toEqual([]);
	await launch(engine, 'web');
	expect(await states(engine)).toEqual({web: 'Running'});
});

test('a machine that runs without any record is shown, touched by nothing, and ended only by forget', async () => {
	const {paths, hypervisor, directory} = await damaged();
	rmSync(directory, {recursive: true});
	const {engine} = await simulatedEngine(paths, {hypervisor});
	expect(await states(engine)).toEqual({web: 'Broken'});
	expect((await engine.list())[0]?.reason).toContain('there is no record of it');
	await expect(engine.act({action: 'stop', names: ['web'], by})).rejects.toMatchObject({code: 'instance.broken'});
	await expect(engine.adopt({name: 'web', by})).rejects.toMatchObject({code: 'instance.state'});
	await engine.refresh();
	expect(hypervisor.machines.size).toBe(1);
	expect(await engine.forget({name: 'web', by})).toEqual({});
	expect(hypervisor.machines.size).toBe(0);
	expect(await engine.list()).toEqual([]);
});

test('one that ends by itself is shown no longer; one that is well cannot be forgotten', async () => {
	const {paths, hypervisor, directory} = await damaged();
	rmSync(directory, {recursive: true});
	const {engine} = await simulatedEngine(paths, {hypervisor});
	expect(await states(engine)).toEqual({web: 'Broken'});
	hypervisor.machines.clear();
	await engine.refresh();
	expect(await engine.list()).toEqual([]);
	await launch(engine, 'db');
	await expect(engine.forget({name: 'db', by})).rejects.toMatchObject({code: 'instance.state'});
	await engine.refresh();
	expect(await states(engine)).toEqual({db: 'Running'});
});
