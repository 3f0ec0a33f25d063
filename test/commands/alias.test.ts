import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {parse} from 'yaml';
import {aliasStore} from '../../source/state/alias-store.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {drover} from './context.ts';

/** A home with the instances web (which sees /src as /mnt/src) and db. */
function home() {
	const paths = scratchPaths();
	const store = aliasStore(paths, {command: ['/opt/it’s here/drover']});
	const mount = {source: '/src', target: '/mnt/src', type: 'native' as const, uidMap: [], gidMap: []};
	const engine = new FakeEngine({
		instances: [fakeInstance('web', 'Running', {mounts: [mount]}), fakeInstance('db', 'Running')],
	});
	const call = (...argv: string[]) => drover(argv, {engine, aliases: store, cwd: '/src/deep'});
	const made = async (...definitions: ReadonlyArray<readonly string[]>) => {
		for (const definition of definitions) expect((await call('alias', ...definition)).code).toBe(0);
	};
	const names = async () => (await store.read()).aliases.map(({context, name}) => `${context}.${name}`);
	const scripts = () => readdirSync(store.scripts).sort();
	return {paths, store, engine, call, made, names, scripts};
}

describe('alias', () => {
	test('is called as its command unless it is given a name', async () => {
		const {made, store} = home();
		await made(['web:/usr/bin/top'], ['db:ls', 'lsd'], ['db:psql', '-n']);
		expect((await store.read()).aliases).toEqual([
			{context: 'default', name: 'lsd', instance: 'db', command: 'ls', map: true},
			{context: 'default', name: 'psql', instance: 'db', command: 'psql', map: false},
			{context: 'default', name: 'top', instance: 'web', command: '/usr/bin/top', map: true},
		]);
	});

	test.each<[string[], RegExp]>([
		[[], /a definition is needed/],
		[['web:ls', 'a', 'b'], /Too many arguments/],
		[['web'], /Invalid alias definition/],
		[[':ls'], /Invalid alias definition/],
		[['web:'], /Invalid alias definition/],
		[['we/b:ls'], /Invalid alias definition/],
		[['web:l\u0007s', 'x'], /Invalid alias definition/],
		[['web:ls', 'a/b'], /cannot be the name of a file/],
		[['web:ls', '..'], /stands for a directory/],
		[['web:ls', 'a b'], /cannot be the name of a file/],
		[['web:ls', ''], /it is empty/],
		[['web:/'], /it is empty/],
		[['web:list'], /it is a command/],
		[['web:ls', 'sh'], /it is a command/],
		[['web:ls', 'authenticate'], /it is a command/],
		[['--', 'web:ls', '-x'], /begins with a hyphen/],
	])('%j is a mistake', async (argv, words) => {
		const {call, store} = home();
		const {code, err} = await call('alias', ...argv);
		expect(err).toMatch(words);
		expect(code).toBe(1);
		expect((await store.read()).aliases).toEqual([]);
	});

	test('needs an instance, and a name that is free in its context', async () => {
		const {call, made, names} = home();
		expect(await call('alias', 'nobody:who')).toMatchObject({code: 2, err: expect.stringContaining('does not exist')});
		await made(['web:who']);
		expect(await call('alias', 'db:who')).toMatchObject({code: 1, err: expect.stringContaining('already exists')});
		await call('prefer', 'other');
		await made(['db:who']);
		expect(await names()).toEqual(['default.who', 'other.who']);
	});

	test('the first one tells about the scripts, unless they are in the PATH', async () => {
		const {store, engine} = home();
		const setting = {engine, aliases: store, env: {PATH: '/usr/bin:/bin'}};
		const first = await drover(['alias', 'web:who'], setting);
		expect(first).toMatchObject({code: 0, out: ''});
		expect(first.err).toContain(`PATH="$PATH:${store.scripts}"`);
		expect((await drover(['alias', 'web:top'], setting)).err).toBe('');
		const other = home();
		const env = {PATH: `/usr/bin:${other.store.scripts}/`};
		expect((await drover(['alias', 'web:who'], {engine, aliases: other.store, env})).err).toBe('');
	});
});

describe('what an alias stands for', () => {
	const command = (ran: Awaited<ReturnType<typeof drover>>['ran']) => ran[0]?.argv.at(-1);

	test('is run with all that follows its name', async () => {
		const {call, made} = home();
		await made(['db:psql', 'sql', '-n']);
		for (const argv of [
			['sql', '--help', '-c', 'select 1'],
			['sql', '--', '--help', '-c', 'select 1'],
			['-v', 'sql', '--help', '-c', 'select 1'],
		]) {
			const {code, ran} = await call(...argv);
			expect(code).toBe(0);
			expect(ran).toHaveLength(1);
			expect(command(ran)).toMatch(/psql.*--help.*-c.*select 1/);
			expect(command(ran)).not.toContain('/mnt');
		}
		expect(command((await call('sql', '--', '--')).ran)).toMatch(/--/);
	});

	test('is run where the caller stands, if the instance sees that', async () => {
		const {call, made} = home();
		await made(['web:who']);
		expect(command((await call('who')).ran)).toContain('/mnt/src/deep');
	});

	test('gives its exit code', async () => {
		const {engine, store, made} = home();
		await made(['web:who']);
		expect((await drover(['who'], {engine, aliases: store, exit: 42})).code).toBe(42);
	});

	test('is that of the current context, or of the one that is named', async () => {
		const {call, made, engine, store} = home();
		await made(['web:who'], ['web:python3', 'py3.11']);
		await call('prefer', 'other');
		await made(['db:who']);
		const host = async (...argv: string[]) => {
			engine.accessOf = name => ({kind: 'lxd', reason: '', direct: {name} as never});
			return (await drover(argv, {engine, aliases: store})).ran[0]?.program;
		};
		expect(await host('who')).toBe('direct db');
		expect(await host('other.who')).toBe('direct db');
		expect(await host('default.who')).toBe('direct web');
		expect(await host('default.py3.11')).toBe('direct web');
		expect(await call('py3.11')).toMatchObject({code: 1, out: expect.stringContaining('Unknown command or alias')});
		await call('prefer', 'default');
		expect(await host('py3.11')).toBe('direct web');
	});

	test('help tells', async () => {
		const {call, made} = home();
		await made(['web:ls', 'lw']);
		expect(await call('help', 'lw')).toMatchObject({code: 0, out: 'lw is an alias for: drover exec web -- ls\n'});
	});
});

describe('aliases', () => {
	test('are shown as Multipass shows them', async () => {
		const {call, made} = home();
		await made(['web:ls', 'lsw'], ['db:/usr/bin/top', 'topdb', '-n']);
		await call('prefer', 'work');
		await made(['web:make']);
		expect((await call('aliases')).out).toBe(
			[
				'Alias  Instance  Command       Context  Working directory',
				'lsw    web       ls            default  map',
				'topdb  db        /usr/bin/top  default  default',
				'make   web       make          work*    map',
				'',
			].join('\n'),
		);
		expect((await call('aliases', '--format', 'csv')).out).toBe(
			[
				'Alias,Instance,Command,Working directory,Context',
				'lsw,web,ls,map,default',
				'topdb,db,/usr/bin/top,default,default',
				'make,web,make,map,work*',
				'',
			].join('\n'),
		);
		expect(JSON.parse((await call('aliases', '--format', 'json')).out)).toEqual({
			'active-context': 'work',
			contexts: {
				default: {
					lsw: {instance: 'web', command: 'ls', 'working-directory': 'map'},
					topdb: {instance: 'db', command: '/usr/bin/top', 'working-directory': 'default'},
				},
				work: {make: {instance: 'web', command: 'make', 'working-directory': 'map'}},
			},
		});
		expect(parse((await call('aliases', '--format', 'yaml')).out)).toMatchObject({
			active_context: 'work',
			aliases: {work: [{alias: 'make', command: 'make', instance: 'web', 'working-directory': 'map'}]},
		});
	});

	test('where there are none', async () => {
		const {call} = home();
		expect((await call('aliases')).out).toBe('No aliases defined.\n');
		expect((await call('aliases', '--format', 'csv')).out).toBe('Alias,Instance,Command,Working directory,Context\n');
		expect(JSON.parse((await call('aliases', '--format', 'json')).out)).toEqual({
			'active-context': 'default',
			contexts: {default: {}},
		});
		expect(await call('aliases', 'x')).toMatchObject({code: 1});
		expect(await call('aliases', '--format', 'xml')).toMatchObject({code: 1});
	});

	test('need no daemon', async () => {
		const {call} = home();
		for (const argv of [['aliases'], ['prefer', 'x'], ['unalias', '--all']]) {
			expect(await call(...argv)).toMatchObject({code: 0, connections: 0});
		}
	});
});

describe('unalias', () => {
	test('removes those that are named, all or none', async () => {
		const {call, made, names} = home();
		await made(['web:who'], ['web:top'], ['db:psql']);
		expect(await call('unalias', 'who', 'nothing', 'nor-this')).toMatchObject({
			code: 1,
			err: expect.stringContaining('Nonexistent aliases: "nothing", "nor-this".'),
		});
		expect(await names()).toHaveLength(3);
		expect((await call('unalias', 'who', 'default.top')).code).toBe(0);
		expect(await names()).toEqual(['default.psql']);
		expect(await call('unalias')).toMatchObject({code: 1});
		expect(await call('unalias', '--all', 'x')).toMatchObject({code: 1});
	});

	test('--all removes those of the current context', async () => {
		const {call, made, names} = home();
		await made(['web:who']);
		await call('prefer', 'other');
		await made(['db:who'], ['db:top']);
		await call('unalias', '--all');
		expect(await names()).toEqual(['default.who']);
	});
});

describe('prefer', () => {
	test.each([[[]], [['a', 'b']], [['a.b']], [['a/b']], [['']]])('%j is a mistake', async argv => {
		const {call, store} = home();
		expect((await call('prefer', ...argv)).code).toBe(1);
		expect((await store.read()).active).toBe('default');
	});
});

describe('the scripts', () => {
	test('are there for each alias by name and by context, and go with it', async () => {
		const {call, made, scripts, store} = home();
		await made(['web:who'], ['web:top']);
		expect(scripts()).toEqual(['default.top', 'default.who', 'top', 'who']);
		expect(statSync(path.join(store.scripts, 'who')).mode & 0o777).toBe(0o700);
		expect(statSync(store.scripts).mode & 0o777).toBe(0o700);
		await call('prefer', 'other');
		await made(['db:who']);
		await call('unalias', 'default.who');
		expect(scripts()).toEqual(['default.top', 'other.who', 'top', 'who']);
		await call('unalias', 'who');
		expect(scripts()).toEqual(['default.top', 'top']);
	});

	test('call drover with their name and their arguments, whatever is in them', async () => {
		const paths = scratchPaths();
		const echo = path.join(paths.data, "it's");
		mkdirSync(paths.data, {recursive: true});
		writeFileSync(echo, '#!/bin/sh\nprintf "%s|" "$DROVER_HOME" "$@"\n', {mode: 0o700});
		const store = aliasStore(paths, {command: [echo], home: '/a b'});
		await store.change(book => ({
			...book,
			aliases: [{context: 'default', name: '$(x)&', instance: 'web', command: 'ls', map: true}],
		}));
		const out = execFileSync(path.join(store.scripts, '$(x)&'), ['a b', "c'd", '--', '$HOME'], {encoding: 'utf8'});
		expect(out).toBe("/a b|$(x)&|--|a b|c'd|--|$HOME|");
	});

	test('what somebody else has put there stays', async () => {
		const {call, made, scripts, store} = home();
		await made(['web:who']);
		writeFileSync(path.join(store.scripts, 'mine'), '#!/bin/sh\n');
		await call('unalias', 'who');
		expect(scripts()).toEqual(['mine']);
	});
});

describe('the file', () => {
	test('is the owner’s alone, and changed by many at once without loss', async () => {
		const {paths, store} = home();
		const others = Array.from({length: 8}, () => aliasStore(paths));
		await Promise.all(
			others.map((other, index) =>
				other.change(book => ({
					...book,
					aliases: [
						...book.aliases,
						{context: 'default', name: `a${index}`, instance: 'web', command: 'ls', map: true},
					],
				})),
			),
		);
		expect((await store.read()).aliases).toHaveLength(8);
		expect(statSync(path.join(paths.config, 'aliases.json')).mode & 0o777).toBe(0o600);
	});

	test.each<[string, string]>([
		['{', 'it is not JSON'],
		['[]', 'form is not what'],
		['null', 'form is not what'],
		['{"form": 1, "active": "a", "aliases": [null]}', 'aliases.0.map is not what'],
		['{"form": 1, "active": "a", "aliases": {}}', 'aliases is not what'],
		['{"form": 2, "active": "default", "aliases": []}', 'form is not what'],
		['{"form": 1, "active": "../x", "aliases": []}', 'active is not what'],
		[
			'{"form": 1, "active": "a", "aliases": [{"context": "a", "name": "../../x", "instance": "web", "command": "ls", "map": true}]}',
			'aliases.0.name is not what',
		],
		[
			'{"form": 1, "active": "a", "aliases": [{"context": "a", "name": "x", "instance": "-oProxyCommand=x", "command": "ls", "map": true}]}',
			'aliases.0.instance is not what',
		],
	])('%s is told of, and never written over', async (text, words) => {
		const {paths, call} = home();
		mkdirSync(paths.config, {recursive: true});
		const file = path.join(paths.config, 'aliases.json');
		writeFileSync(file, text);
		for (const argv of [['aliases'], ['alias', 'web:who'], ['unalias', '--all'], ['nonsense']]) {
			const {code, err} = await call(...argv);
			expect(code).toBe(2);
			expect(err).toContain(words);
			expect(err).toContain('put it aside');
		}
		expect(readFileSync(file, 'utf8')).toBe(text);
	});

	test('is not made by asking', async () => {
		const {paths, call} = home();
		await call('aliases');
		await call('nonsense');
		expect(existsSync(path.join(paths.config, 'aliases.json'))).toBe(false);
	});
});
