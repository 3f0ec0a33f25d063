import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {CopyLine} from '../../source/commands/copy-line.ts';
import {planTransfer} from '../../source/commands/transfer-plan.ts';
import type {CopyOptions, GuestFiles} from '../../source/guest/guest-files.ts';
import {DroverError} from '../../source/model/errors.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover, type Setting} from './context.ts';

let home: string;
beforeAll(() => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-transfer-'));
	mkdirSync(path.join(home, 'dir'));
	for (const name of ['a', 'b', 'web:x', '-']) writeFileSync(path.join(home, name), 'content');
});
afterAll(() => rmSync(home, {recursive: true}));

/** Runs it against guests that note what is asked of them. */
async function transfer(argv: readonly string[], setting: Setting = {}, fail: readonly string[] = []) {
	const asked: unknown[][] = [];
	const files: GuestFiles = {
		async push(source, target, {onBytes, ...options}: CopyOptions = {}) {
			let from = source;
			if (typeof source !== 'string') {
				from = '';
				for await (const piece of source) from += String(piece);
			}
			asked.push(['push', from, target, options]);
			onBytes?.(3);
			if (fail.includes(target)) throw new DroverError('guest.failed', `no ${target}.`);
		},
		async pull(source, target, {onBytes, ...options}: CopyOptions = {}) {
			asked.push(['pull', source, typeof target === 'string' ? target : 'stream', options]);
			onBytes?.(3);
			if (typeof target !== 'string') target.write(`content of ${source}`);
			if (fail.includes(source)) throw new DroverError('guest.failed', `no ${source}.`);
		},
		async close() {
			asked.push(['close']);
		},
	};
	const engine = new FakeEngine({
		instances: [fakeInstance('web'), fakeInstance('db'), fakeInstance('old', 'Stopped')],
	});
	const outcome = await drover(['transfer', ...argv], {engine, cwd: home, files: () => files, ...setting});
	return {...outcome, asked};
}

const plain = {recursive: false, parents: false, into: false};

describe('transfer', () => {
	test.each<[string[], unknown[][]]>([
		[['a', 'web:'], [['push', '/a', '', plain]]],
		[['a', 'web:/etc/x:y'], [['push', '/a', '/etc/x:y', plain]]],
		[['a', 'web:~/x'], [['push', '/a', 'x', plain]]],
		[['a', 'web:~'], [['push', '/a', '', plain]]],
		[['-p', 'a', 'web:x'], [['push', '/a', 'x', {...plain, parents: true}]]],
		[['-r', 'dir', 'web:x'], [['push', '/dir', 'x', {...plain, recursive: true}]]],
		[['./web:x', 'web:x'], [['push', '/web:x', 'x', plain]]],
		[['./-', 'web:x'], [['push', '/-', 'x', plain]]],
		[
			['a', 'b', 'web:all'],
			[
				['push', '/a', 'all', {...plain, into: true}],
				['push', '/b', 'all', {...plain, into: true}],
			],
		],
		[['web:x', '.'], [['pull', 'x', '', plain]]],
		[['web:-x y', 'new/./x'], [['pull', '-x y', '/new/x', plain]]],
		[['--recursive', 'web:', './db:x'], [['pull', '', '/db:x', {...plain, recursive: true}]]],
	])('%j', async (argv, wanted) => {
		const {code, out, err, asked} = await transfer(argv);
		expect([code, out, err]).toEqual([0, '', '']);
		const here = (text: unknown) => (typeof text === 'string' ? path.join(home, text) : text);
		const side = wanted[0]![0] === 'push' ? 1 : 2;
		expect(asked).toEqual([
			...wanted.map(words => words.map((word, at) => (at === side ? here(word) : word))),
			['close'],
		]);
	});

	test('from several instances, each by a session of its own', async () => {
		const {asked} = await transfer(['web:x', 'db:y', 'web:z', 'dir']);
		expect(asked.map(([what, source]) => [what, source])).toEqual([
			['pull', 'x'],
			['pull', 'y'],
			['pull', 'z'],
			['close', undefined],
			['close', undefined],
		]);
	});

	test('stdin and stdout', async () => {
		expect(await transfer(['-', 'web:x'], {stdin: 'piped', isTTY: true})).toMatchObject({
			code: 0,
			out: '',
			asked: [['push', 'piped', 'x', plain], ['close']],
		});
		expect(await transfer(['web:x', '-'], {isTTY: true})).toMatchObject({code: 0, out: 'content of x', err: ''});
	});

	test('what is refused does not keep the others from it, and every session is closed', async () => {
		const {code, err, asked} = await transfer(['web:x', 'db:y', 'dir'], {}, ['x']);
		expect([code, err]).toEqual([2, 'transfer failed: no x.\n']);
		expect(asked.map(([what]) => what)).toEqual(['pull', 'pull', 'close', 'close']);
	});

	test('an instance that does not run, or is not there', async () => {
		expect(await transfer(['a', 'old:'])).toMatchObject({
			code: 2,
			err: 'transfer failed: instance "old" is not running\n',
		});
		expect(await transfer(['a', 'nobody:'])).toMatchObject({code: 2, asked: []});
	});

	test('copy-files is another name for it', async () => {
		expect(await drover(['copy-files', 'a'], {cwd: home})).toMatchObject({code: 1, connections: 0});
	});

	test.each<[string[], string]>([
		[[], 'Not enough arguments given.'],
		[['a'], 'Not enough arguments given.'],
		[['a', ''], 'A source or target is empty.'],
		[['a', 'b'], 'Neither sources nor target are in an instance.'],
		[['web:a', 'b', 'c'], '"b" is not in an instance, and the other sources are.'],
		[['web:a', 'db:b'], 'Sources and target are both in instances, and one side must be on the host.'],
		[['-', 'a', 'web:'], 'Only one source and one target are possible with "-".'],
		[['-', '-'], 'Neither sources nor target are in an instance.'],
		[['-r', '-', 'web:x'], '"-" stands for one file, so --recursive has no use with it.'],
		[['none', 'web:'], 'Source "none" does not exist.'],
		[['dir', 'web:'], 'Source "dir" is a directory.'],
		[['web:x', 'web:'], 'Sources and target are both in instances, and one side must be on the host.'],
	])('%j is a mistake', async (argv, message) => {
		const {code, err, connections, asked} = await transfer(argv);
		expect(err.split('\n')[0]).toBe(`transfer failed: ${message}`);
		expect([code, connections, asked]).toEqual([1, 0, []]);
	});

	test('what is before a colon is an instance only where it can be one', () => {
		const kind = (word: string) => planTransfer([word, 'web:'], {recursive: false}).kind;
		for (const word of ['./web:x', '/a:b', '-x:y', 'a b:c', '1st:x', ':x', 'a.b:c']) expect(kind(word)).toBe('push');
		expect(() => kind('web2:x')).toThrow();
	});
});

test('how much is copied, on a terminal that is not flooded', () => {
	let now = 0;
	let out = '';
	const line = (isTTY: boolean, total?: number) =>
		new CopyLine({write: text => (out += text), isTTY, columns: 60}, 'a\u001B[2Jb', total, () => now);
	const known = line(true, 4 * 2 ** 20);
	for (let count = 0; count < 50; count++) known.add(2 ** 16);
	now = 100;
	known.add(0);
	known.clear();
	expect(out).toBe('\rCopying ab: 1% of 4.0MiB\u001B[K\rCopying ab: 78% of 4.0MiB\u001B[K\r\u001B[K');
	out = '';
	const unknown = line(true);
	unknown.add(2 ** 20);
	expect(out).toBe('\rCopying ab: 1.0MiB\u001B[K');
	out = '';
	const silent = line(false);
	silent.add(2 ** 20);
	silent.clear();
	expect(out).toBe('');
});
