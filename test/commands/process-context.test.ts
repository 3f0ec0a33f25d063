import process from 'node:process';
import {expect, test} from 'vitest';
import {processContext} from '../../source/commands/process-context.ts';
import {DroverError} from '../../source/model/errors.ts';
import {userName} from '../../source/platform/user-name.ts';
import {aliasStore} from '../../source/state/alias-store.ts';
import {FakeEngine} from '../support/fake-engine.ts';

const context = (connect: Parameters<typeof processContext>[0]['connect']) =>
	processContext({
		connect,
		keys: async () => [],
		aliases: async () => aliasStore({config: '/nowhere', data: '/nowhere'}),
	});
const offline = context(async () => {
	throw new DroverError('daemon.unreachable', 'none');
});

test('the exit code of what runs is handed on, a signal as 128 and its number', async () => {
	expect(await offline.run('sh', ['-c', 'exit 7'])).toBe(7);
	expect(await offline.run('sh', ['-c', 'kill -TERM $$'])).toBe(143);
	expect(await offline.run('sh', ['-c', 'kill -KILL $$'])).toBe(137);
	await expect(offline.run('/does/not/exist', [])).rejects.toThrow('ENOENT');
});

test('arguments are not read by a shell', async () => {
	expect(await offline.run('test', ['$HOME', '=', '$HOME'])).toBe(0);
	expect(await offline.run('test', ['a b; exit 9', '=', 'a b; exit 9'])).toBe(0);
});

test('Ctrl-C is for what runs, and ours again afterwards', async () => {
	const before = process.listenerCount('SIGINT');
	// Ours comes first: one that reaches us when we no longer look out for it would end us, as it should.
	const script = `trap 'exit 5' INT; kill -INT ${process.pid}; sleep 0.5; kill -INT $$; sleep 1; exit 1`;
	const running = offline.run('sh', ['-c', script]);
	expect(await running).toBe(5);
	expect(process.listenerCount('SIGINT')).toBe(before);
	const stop = offline.onInterrupt(() => {});
	expect(process.listenerCount('SIGINT')).toBe(before + 1);
	stop();
	expect(process.listenerCount('SIGINT')).toBe(before);
});

test('one connection, made when it is first needed, and anew after it was closed', async () => {
	let made = 0;
	let closed = 0;
	const asked: unknown[] = [];
	const online = context(async options => {
		made++;
		asked.push(options);
		const engine = Object.assign(new FakeEngine(), {
			close: async () => {
				closed++;
			},
		});
		return {engine, closed: new Promise<void>(() => {})};
	});
	await online.closeEngine();
	expect([made, closed]).toEqual([0, 0]);
	expect(await online.engine()).toBe(await online.engine());
	expect(made).toBe(1);
	await online.closeEngine();
	await online.closeEngine();
	await online.engine({start: false});
	expect([made, closed]).toEqual([2, 1]);
	expect(asked).toEqual([{start: true}, {start: false}]);
});

test('a connection that failed is closed without a word', async () => {
	await expect(offline.engine()).rejects.toThrow('none');
	await offline.closeEngine();
});

test('somebody asks', () => {
	expect(userName()).toMatch(/^\S+$/);
});
