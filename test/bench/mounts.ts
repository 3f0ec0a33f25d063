import {execFile} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {createReadStream, mkdirSync, rmSync} from 'node:fs';
import {open} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import {createQemuDriver} from '../../source/drivers/qemu/driver.ts';
import {findFileServer} from '../../source/drivers/qemu/mounts/file-server.ts';
import {createEngine} from '../../source/engine/create-engine.ts';
import {genericImages} from '../support/micro-image.ts';
import {noNetwork} from '../support/no-network.ts';
import {Program} from '../support/program.ts';
import {type Figure, limited} from './figures.ts';

const run = promisify(execFile);
/** MiB of the one file that is moved. `DROVER_BENCH_MIB` asks for less (or more). */
const size = Number(process.env['DROVER_BENCH_MIB'] ?? 1024);
const rounds = 2;

/**
 * One large file into a guest and out of it, by each way there is, held against `scp` in the same run; what arrives is
 * compared by its digest. The guest's kernel knows virtiofs and 9p; it has less memory than the file is large.
 */
export async function mounts(): Promise<Figure[]> {
	if (!Number.isSafeInteger(size) || size < 1) throw new Error('DROVER_BENCH_MIB is a number of MiB');
	const drover = await Program.open({withImage: false});
	try {
		return await new Course(drover).run();
	} finally {
		await drover.close();
		rmSync(drover.home, {recursive: true, force: true});
	}
}

class Course {
	readonly #drover: Program;
	readonly #source: string;
	readonly #config: string;
	#digest = '';

	constructor(drover: Program) {
		this.#drover = drover;
		this.#source = path.join(drover.home, 'source');
		this.#config = path.join(drover.paths.data, 'ssh', 'config');
	}

	async run(): Promise<Figure[]> {
		const drover = this.#drover;
		mkdirSync(this.#source);
		const file = this.#at('file');
		await fill(file);
		this.#digest = await digestOf(file);
		const image = await genericMicro();
		const disk = `${Math.ceil((size * 3) / 1024) + 1}G`;
		await drover.ok('launch', `file://${image}`, '--name', 'web', '--memory', '512M', '--disk', disk);
		const rows: Figure[] = [];

		const scp = (from: string, to: string) => run('scp', ['-q', '-F', this.#config, from, to]);
		const took = {scpIn: Infinity, scpOut: Infinity, pushed: Infinity, pulled: Infinity};
		const keep = async (what: keyof typeof took, act: () => Promise<unknown>) => {
			took[what] = Math.min(took[what], await this.#timed(act));
		};
		// In turns, and the best of each: what else the machine does only ever makes one slower.
		for (let round = 0; round < rounds; round++) {
			await keep('scpIn', () => scp(file, 'web.drover:/root/guest'));
			await keep('pushed', () => drover.ok('transfer', file, 'web:/root/in'));
			await this.#checkGuest('/root/guest');
			await this.#checkGuest('/root/in');
			await this.#inGuest('rm /root/in');
			await keep('scpOut', () => scp('web.drover:/root/guest', this.#at('out')));
			await this.#checkHost('out');
			await keep('pulled', () => drover.ok('transfer', 'web:/root/guest', this.#at('out')));
			await this.#checkHost('out');
		}
		const {scpIn, scpOut, pushed, pulled} = took;
		rows.push({what: `scp of ${size} MiB, into the guest / out of it`, value: `${rate(scpIn)} / ${rate(scpOut)}`});
		rows.push(limited('transfer into the guest against scp', pushed / scpIn, 1.1, 'x', rate(pushed)));
		rows.push(limited('transfer out of the guest against scp', pulled / scpOut, 1.1, 'x', rate(pulled)));

		const mounted = async (what: string) => {
			await this.#inGuest('echo 3 > /proc/sys/vm/drop_caches');
			const read = await this.#timed(() => this.#inGuest('dd if=/src/file of=/dev/null bs=1M 2>/dev/null'));
			await this.#inGuest('echo 3 > /proc/sys/vm/drop_caches');
			await this.#checkGuest('/src/file');
			await this.#inGuest('echo 3 > /proc/sys/vm/drop_caches');
			const write = await this.#timed(() =>
				this.#inGuest('dd if=/root/guest of=/src/written bs=1M conv=fsync 2>/dev/null'),
			);
			await this.#checkHost('written');
			rows.push({
				what: `${what}: the guest reads / writes`,
				value: `${rate(read)} / ${rate(write)}`,
				note: `takes ${(read / scpIn).toFixed(2)}x / ${(write / scpOut).toFixed(2)}x of scp’s time`,
			});
		};
		await drover.ok('mount', '--type', 'classic', this.#source, 'web:/src');
		await mounted('classic mount');
		await drover.ok('umount', 'web');
		const server = await findFileServer();
		if (typeof server === 'string') {
			rows.push({what: 'native mount over virtiofs', value: 'not measured', note: server});
		} else {
			await drover.ok('mount', '--type', 'native', this.#source, 'web:/src');
			await mounted('native mount over virtiofs');
			await drover.ok('umount', 'web');
		}
		await this.#over9p(() => mounted('native mount over 9p'));
		return rows;
	}

	/** As on a host without virtiofsd: the program's daemon ends, and its engine goes on in this process. */
	async #over9p(act: () => Promise<void>): Promise<void> {
		const daemon = await this.#drover.daemonPid();
		if (daemon !== undefined) {
			process.kill(daemon, 'SIGTERM');
			while ((await this.#drover.daemonPid()) !== undefined) await sleep(100);
		}
		const {paths} = this.#drover;
		const engine = await createEngine(paths, {
			openNetwork: noNetwork,
			loadDriver: async name => (name === 'qemu' ? createQemuDriver({paths, fileServer: false}) : undefined),
		});
		try {
			const mount = {source: this.#source, target: '/src', type: 'native', uidMap: [], gidMap: []} as const;
			const ended = await engine.wait({id: (await engine.mount({name: 'web', mount, by: 'bench'})).id});
			if (ended.state !== 'done') throw new Error(ended.error?.message ?? 'it was not mounted over 9p');
			await act();
		} finally {
			await engine.close();
		}
	}

	#at(name: string): string {
		return path.join(this.#source, name);
	}

	async #inGuest(script: string): Promise<string> {
		return (await run('ssh', ['-F', this.#config, 'web.drover', script])).stdout;
	}

	async #checkGuest(file: string): Promise<void> {
		if ((await this.#inGuest(`md5sum < ${file}`)).slice(0, 32) !== this.#digest)
			throw new Error(`${file} is not whole`);
	}

	/** What has arrived here is whole, and makes room. */
	async #checkHost(name: string): Promise<void> {
		if ((await digestOf(this.#at(name))) !== this.#digest) throw new Error(`${name} is not whole`);
		rmSync(this.#at(name));
	}

	/** What was to be written before does not count. */
	async #timed(act: () => Promise<unknown>): Promise<number> {
		await run('sync');
		await this.#inGuest('sync');
		const began = performance.now();
		await act();
		return performance.now() - began;
	}
}

async function genericMicro(): Promise<string> {
	const images = genericImages();
	const work = {signal: new AbortController().signal, progress() {}, log() {}};
	return (await images.fetch(await images.resolve('micro'), work)).path;
}

async function fill(file: string): Promise<void> {
	const handle = await open(file, 'wx');
	for (let part = 0; part < size; part++) await handle.write(randomBytes(2 ** 20));
	await handle.close();
}

/** MD5: a guest under emulation needs a third of a minute for a GiB of it, and minutes for anything better. */
async function digestOf(file: string): Promise<string> {
	const hash = createHash('md5');
	for await (const part of createReadStream(file, {highWaterMark: 2 ** 20})) hash.update(part as Buffer);
	return hash.digest('hex');
}

function rate(ms: number): string {
	return `${(size / (ms / 1000)).toFixed(1)} MiB/s`;
}
