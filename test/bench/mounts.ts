import {execFile} from 'node:child_process';
import {mkdirSync, rmSync, statSync} from 'node:fs';
import {open} from 'node:fs/promises';
import path from 'node:path';
import {promisify} from 'node:util';
import {findFileServer} from '../../source/drivers/qemu/mounts/file-server.ts';
import {Program} from '../support/program.ts';
import type {Figure} from './figures.ts';

const run = promisify(execFile);
/** MiB. Less than a guest's memory, so that what is in its cache is known. */
const size = Number(process.env['DROVER_BENCH_MIB'] ?? 128);

/** One large file into a guest and out of it, by each way there is, held against `scp` in the same run. */
export async function mounts(): Promise<Figure[]> {
	const drover = await Program.open();
	try {
		const source = path.join(drover.home, 'source');
		mkdirSync(source);
		await fill(path.join(source, 'file'));
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '512M', '--disk', '4G');
		const inGuest = (script: string) => drover.ok('exec', 'web', '--', 'sh', '-c', script);
		await inGuest(`dd if=/dev/urandom of=/home/ubuntu/guest bs=1M count=${size} 2>/dev/null; sync`);
		const config = path.join(drover.paths.data, 'ssh', 'config');
		const scp = (from: string, to: string) => run('scp', ['-q', '-F', config, from, to]);
		const here = path.join(source, 'out');
		const into = await timed(() => scp(path.join(source, 'file'), 'web.drover:/home/ubuntu/in'));
		const out = await timed(() => scp('web.drover:/home/ubuntu/guest', here));
		const rows: Figure[] = [
			{what: `scp of ${size} MiB, into the guest / out of it`, value: `${rate(into)} / ${rate(out)}`},
		];
		const row = (what: string, inMs: number, outMs: number) =>
			rows.push({
				what,
				value: `${rate(inMs)} / ${rate(outMs)}`,
				note: `${(into / inMs).toFixed(2)}x / ${(out / outMs).toFixed(2)}x of scp`,
			});
		row(
			'transfer',
			await timed(() => drover.ok('transfer', path.join(source, 'file'), 'web:in')),
			await timed(() => drover.ok('transfer', 'web:guest', here)),
		);
		/** A guest that reads and writes on a mount; nothing of it is in its cache before. */
		const mounted = async (what: string) =>
			row(
				what,
				await timed(() => inGuest('echo 3 > /proc/sys/vm/drop_caches; dd if=/src/file of=/dev/null bs=1M 2>/dev/null')),
				await timed(() => inGuest('dd if=/home/ubuntu/guest of=/src/written bs=1M conv=fsync 2>/dev/null')),
			);
		await drover.ok('mount', '--type', 'classic', source, 'web:/src');
		await mounted('classic mount');
		if (statSync(path.join(source, 'written')).size !== size * 2 ** 20) throw new Error('the mount lost something');
		await drover.ok('umount', 'web');
		const server = await findFileServer();
		if (typeof server === 'string') {
			rows.push({what: 'native mount', value: 'not measured', note: server});
			return rows;
		}
		await drover.ok('stop', 'web');
		await drover.ok('mount', '--type', 'native', source, 'web:/src');
		await drover.ok('start', 'web');
		await mounted('native mount (virtiofs)');
		return rows;
	} finally {
		await drover.close();
		rmSync(drover.home, {recursive: true, force: true});
	}
}

async function fill(file: string): Promise<void> {
	const {randomBytes} = await import('node:crypto');
	const handle = await open(file, 'wx');
	for (let part = 0; part < size; part++) await handle.write(randomBytes(2 ** 20));
	await handle.close();
}

async function timed(act: () => Promise<unknown>): Promise<number> {
	const began = performance.now();
	await act();
	return performance.now() - began;
}

function rate(ms: number): string {
	return `${(size / (ms / 1000)).toFixed(1)} MiB/s`;
}
