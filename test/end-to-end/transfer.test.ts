import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {Program} from '../support/program.ts';

/** Files to and from a real guest and its own SFTP server, through the built program. */
describe('transfer', () => {
	let drover: Program;
	let home: string;
	beforeAll(async () => {
		drover = await Program.open();
		home = mkdtempSync(path.join(tmpdir(), 'drover-e2e-files-'));
		await drover.ok('launch', 'micro', '--name', 'web');
	});
	afterAll(async () => {
		await drover.close();
		rmSync(home, {recursive: true, force: true});
	});

	const on = (name: string) => path.join(home, name);
	const sh = (script: string, ...args: readonly string[]) =>
		drover.ok('exec', 'web', '--', 'sh', '-c', script, 'sh', ...args);
	/** As in `drover … < text`; gives what was printed. */
	const piped = (text: string | Buffer, ...args: readonly string[]) =>
		new Promise<{code: number | null; out: Buffer}>((resolve, reject) => {
			const child = spawn(process.execPath, [drover.file, ...args], {
				env: drover.env,
				stdio: ['pipe', 'pipe', 'inherit'],
			});
			const parts: Buffer[] = [];
			child.stdout.on('data', (part: Buffer) => parts.push(part));
			child.once('error', reject);
			child.once('close', code => resolve({code, out: Buffer.concat(parts)}));
			child.stdin.end(text);
		});
	const big = Buffer.from(Array.from({length: 5_000_001}, (_, index) => (index * 7 + (index >> 9)) % 251));

	test('a file there and back is the same', async () => {
		writeFileSync(on('big'), big, {mode: 0o750});
		await drover.ok('transfer', on('big'), 'web:');
		expect(await sh('stat -c "%a %s" big')).toBe(`750 ${big.length}\n`);
		await drover.ok('transfer', 'web:big', on('back'));
		expect(readFileSync(on('back')).equals(big)).toBe(true);
		expect(statSync(on('back')).mode & 0o777).toBe(0o750);
	});

	test('names that shells and globs stumble over', async () => {
		const names = ['-rf', 'a b', "it's", '"q"', '$HOME', '*?[x]{a,b}', 'a\nb', 'c:d', 'ä€', 'back\\slash'];
		mkdirSync(on('odd'));
		for (const name of names) writeFileSync(on(`odd/${name}`), name);
		await drover.ok('transfer', '--recursive', on('odd'), 'web:odd');
		for (const name of names) expect(await sh('cat -- "odd/$1"', name)).toBe(name);
		await drover.ok('transfer', '-r', 'web:odd', on('odd-back'));
		expect(readdirSync(on('odd-back')).sort()).toEqual([...names].sort());
		await drover.ok('transfer', ...names.map(name => `web:odd/${name}`), '-p', on('each'));
		for (const name of names) expect(readFileSync(on(`each/${name}`), 'utf8')).toBe(name);
	});

	test('trees, with links; several at once; directories that are made', async () => {
		mkdirSync(on('tree/sub'), {recursive: true});
		writeFileSync(on('tree/sub/file'), 'x');
		symlinkSync('sub/file', on('tree/link'));
		await drover.ok('transfer', '-r', '-p', on('tree'), on('big'), 'web:/tmp/new/all');
		expect(await sh('cd /tmp/new/all && ls && cat tree/link && readlink tree/link')).toBe('big\ntree\nxsub/file\n');
		await drover.ok('transfer', '-rp', 'web:/tmp/new/all/tree', 'web:/etc/hostname', on('made/here'));
		expect(readFileSync(on('made/here/tree/link'), 'utf8')).toBe('x');
		expect(readFileSync(on('made/here/hostname'), 'utf8')).toBe('web\n');
	});

	test('pipes, and files that tell no size', async () => {
		expect((await piped(big, 'transfer', '-', 'web:piped')).code).toBe(0);
		const {code, out} = await piped('', 'transfer', 'web:piped', '-');
		expect([code, out.equals(big)]).toEqual([0, true]);
		expect((await drover.ok('transfer', 'web:/proc/sys/kernel/random/boot_id', '-')).trim()).toBe(
			await drover.bootId('web'),
		);
	});

	test('what does not work is told in a sentence', async () => {
		expect(await drover.run('transfer', 'web:none', on('x'))).toMatchObject({
			code: 2,
			stderr: 'transfer failed: none in the guest: there is no such file or directory.\n',
		});
		expect(await drover.run('transfer', on('big'), 'web:/sys/x')).toMatchObject({
			code: 2,
			stderr: 'transfer failed: /sys/x in the guest: its user may not do that.\n',
		});
		expect(await drover.run('transfer', 'web:/etc', on('x'))).toMatchObject({code: 1});
		await drover.ok('stop', 'web');
		expect(await drover.run('transfer', on('big'), 'web:')).toMatchObject({
			code: 2,
			stderr: expect.stringMatching(/not running/),
		});
	});
});
