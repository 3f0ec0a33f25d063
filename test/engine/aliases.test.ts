import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {aliasStore} from '../../source/state/alias-store.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';

const by = 'kim';

async function withAliases() {
	const paths = scratchPaths();
	const {engine} = await simulatedEngine(paths);
	for (const name of ['web', 'db']) await engine.wait({id: (await engine.launch({name, by})).id});
	const store = aliasStore(paths);
	const alias = (context: string, name: string, instance: string) => ({
		context,
		name,
		instance,
		command: name,
		map: true,
	});
	await store.change(book => ({
		...book,
		aliases: [alias('default', 'psql', 'db'), alias('default', 'top', 'web'), alias('other', 'top', 'web')],
	}));
	const act = async (action: 'delete' | 'purge', options = {}) => {
		const {state} = await engine.wait({id: (await engine.act({action, names: ['web'], options, by})).id});
		expect(state).toBe('done');
	};
	const names = async () => (await store.read()).aliases.map(({context, name}) => `${context}.${name}`);
	return {paths, engine, act, names};
}

test('aliases of an instance stay while it can be recovered, and go when it is purged', async () => {
	const {act, names} = await withAliases();
	await act('delete');
	expect(await names()).toHaveLength(3);
	await act('purge');
	expect(await names()).toEqual(['default.psql']);
});

test('they go with an instance that is deleted for good at once', async () => {
	const {act, names} = await withAliases();
	await act('delete', {purge: true});
	expect(await names()).toEqual(['default.psql']);
});

test('they stay where another driver has an instance of that name', async () => {
	const {paths, act, names} = await withAliases();
	mkdirSync(instanceDirectory(paths, 'lxd', 'web'), {recursive: true});
	await act('delete', {purge: true});
	expect(await names()).toHaveLength(3);
});

test('aliases that cannot be read keep nobody from purging', async () => {
	const {paths, engine, act} = await withAliases();
	writeFileSync(path.join(paths.config, 'aliases.json'), '{');
	await act('delete', {purge: true});
	expect((await engine.list()).map(({name}) => name)).toEqual(['db']);
});
