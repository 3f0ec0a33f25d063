/**
 * One run through what drover does in Hyper-V, on a real Windows, recorded: `node scripts/hyperv-selftest.ts`.
 *
 * It makes a home of its own in the directory for temporary files and two machines whose names begin with
 * `drover-selftest`, with an empty disk (or with `--image FILE.qcow2`, a guest that boots), and removes all of it at the
 * end, also when something fails. Machines, switches and settings of others are looked at and never changed. Every line
 * between drover and PowerShell is written to `hyperv-selftest.jsonl` (or `--out FILE`): it has the names of this
 * computer's switches and network cards in it, so have a look before you pass it on.
 */
import {execFileSync} from 'node:child_process';
import {createHash, randomUUID} from 'node:crypto';
import {accessSync, appendFileSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {homedir, tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import type {CreateInput, Driver, InstancePlace, WorkContext} from '../source/drivers/driver.ts';
import {createHypervDriver} from '../source/drivers/hyperv/driver.ts';
import {type HostTools, windowsTools} from '../source/drivers/hyperv/host.ts';
import type {InstanceRecord} from '../source/model/instance.ts';
import {gibibyte, mebibyte} from '../source/model/sizes.ts';
import {thisSystem} from '../source/platform/system.ts';
import {locate, makePrivate} from '../source/state/paths.ts';

export type SelftestOptions = {
	readonly tools?: HostTools;
	/** Where the recording goes. */
	readonly out: string;
	/** An image of a guest that boots, qcow2; default: an empty disk. */
	readonly image?: string | undefined;
	readonly say?: (line: string) => void;
};

/** @returns the names of the steps that failed */
export async function selftest({
	tools = windowsTools(thisSystem()),
	out,
	image,
	say = console.log,
}: SelftestOptions): Promise<string[]> {
	const home = mkdtempSync(path.join(tmpdir(), 'drover-selftest-'));
	const paths = locate({DROVER_HOME: home}, process.platform);
	const failed: string[] = [];
	const began = performance.now();
	const write = (entry: Readonly<Record<string, unknown>>) => {
		const line = JSON.stringify({ms: Math.round(performance.now() - began), ...entry});
		// Paths of the person who runs it are nobody's business.
		appendFileSync(out, `${line.replaceAll(JSON.stringify(homedir()).slice(1, -1), '~')}\n`);
	};
	writeFileSync(out, '');
	const driver = createHypervDriver({paths, tools, trace: (direction, line) => write({[direction]: line})});
	const step = async (name: string, act: () => Promise<unknown>): Promise<boolean> => {
		const since = performance.now();
		try {
			const result = await act();
			const seconds = ((performance.now() - since) / 1000).toFixed(1);
			write({step: name, ok: true, result: result ?? null});
			say(`  ok      ${name} (${seconds} s)`);
			return true;
		} catch (error) {
			const {code, message, detail} = error as {code?: string; message: string; detail?: string};
			write({step: name, ok: false, code, message, detail});
			say(`  FAILED  ${name}: ${message}${detail === undefined ? '' : ` (${detail})`}`);
			failed.push(name);
			return false;
		}
	};
	const [one, two] = [makeSubject(paths.data, 'selftest'), makeSubject(paths.data, 'selftest-copy')];
	try {
		const isUsable = await step('health', async () => {
			const health = await driver.health({again: true});
			say(`          ${health.summary}`);
			if (!health.usable) throw new Error(`${health.summary} ${health.remedy ?? ''}`);
			return health;
		});
		if (isUsable) await walk(driver, step, {home, tools, image, one, two});
	} finally {
		for (const subject of [two, one]) {
			await step(`clean up ${subject.record.name}`, () => driver.destroy(subject.record, subject.place, subject.work));
		}
		driver.close?.();
		rmSync(home, {recursive: true, force: true, maxRetries: 10, retryDelay: 500});
	}
	say(failed.length === 0 ? 'Everything worked.' : `${failed.length} steps failed.`);
	say(`The recording is in ${out}.`);
	return failed;
}

type Step = (name: string, act: () => Promise<unknown>) => Promise<boolean>;
type Subject = {record: InstanceRecord; readonly place: InstancePlace; readonly work: WorkContext};

async function walk(
	driver: Driver,
	step: Step,
	{
		home,
		tools,
		image,
		one,
		two,
	}: {home: string; tools: HostTools; image: string | undefined; one: Subject; two: Subject},
): Promise<void> {
	const {place, work} = one;
	const disk = image ?? path.join(home, 'empty.qcow2');
	if (image === undefined) execFileSync(tools.imageProgram, ['create', '-q', '-f', 'qcow2', disk, '64M']);
	const input: CreateInput = {
		imagePath: disk,
		imageFormat: 'qcow2',
		imageHash: `sha256:${createHash('sha256').update(disk).digest('hex')}`,
		seed: {
			'meta-data': `instance-id: ${one.record.id}\n`,
			'user-data': '#cloud-config\n',
			'network-config': 'version: 2\n',
		},
	};
	const power = async (wanted: string, patienceMs: number) => {
		for (const deadline = Date.now() + patienceMs; ; await sleep(500)) {
			const seen = await driver.observe(one.record, place);
			if (seen.power === wanted) return seen;
			if (Date.now() > deadline) throw new Error(`it is ${seen.power} (${seen.reason ?? 'no reason'}), not ${wanted}`);
		}
	};
	const events: string[] = [];
	await step('networks', () => driver.networks!());
	if (!(await step('create', () => driver.create(one.record, place, input, work)))) return;
	await step('create again', () => driver.create(one.record, place, input, work));
	await step('it is off', () => power('off', 10_000));
	await step('snapshot', () => driver.snapshots!.take(one.record, place, 'drover-selftest', work));
	await step('resizing the disk is refused while it has one', async () => {
		const wanted = {...one.record, hardware: {...one.record.hardware, disk: 3 * gibibyte}};
		const error = await driver.resize!(wanted, place, {disk: 3 * gibibyte}, work).catch((thrown: unknown) => thrown);
		if ((error as {code?: string} | undefined)?.code !== 'instance.state')
			throw error ?? new Error('it was not refused');
	});
	await step('restore', () => driver.snapshots!.restore(one.record, place, 'drover-selftest', work));
	await step('delete the snapshot', () => driver.snapshots!.remove(one.record, place, 'drover-selftest', work));
	await step('change processors and memory', () => {
		one.record = {...one.record, hardware: {...one.record.hardware, cpus: 2, memory: 1026 * mebibyte}};
		return driver.resize!(one.record, place, {cpus: 2, memory: 1026 * mebibyte}, work);
	});
	await step('clone', () => driver.clone!(one, two.record, two.place, input.seed, two.work));
	if (await step('start', () => driver.start(one.record, place, work))) {
		await step('it runs', () => power('running', 30_000));
		await step('start again', () => driver.start(one.record, place, work));
		await step('inspect', () => driver.inspect(one.record, place));
		await sleep(5000);
		await step(
			'a sample of what it uses',
			async () => (await driver.metrics!(one.record, place)) ?? Promise.reject(new Error('none')),
		);
		if (image !== undefined) {
			await step('it has an address', async () => {
				for (const deadline = Date.now() + 180_000; Date.now() < deadline; await sleep(2000)) {
					const seen = await driver.observe(one.record, place);
					if (seen.ssh) return seen.ipv4;
				}
				throw new Error('no address within three minutes');
			});
			await step('reboot', () => driver.reboot(one.record, place, work));
			await step('graceful stop', () => driver.stop(one.record, place, {timeoutMs: 120_000}, work));
			await step('start once more', () => driver.start(one.record, place, work));
		} else {
			await step('a guest that does not answer is not forced', async () => {
				const error = await driver.stop(one.record, place, {timeoutMs: 5000}, work).catch((thrown: unknown) => thrown);
				if ((error as {code?: string} | undefined)?.code !== 'guest.unanswered') throw error ?? new Error('it stopped');
			});
		}
		const watching = driver.watch(one.record, place, event => void events.push(event.what));
		await driver.observe(one.record, place);
		await step('cut the power', () => driver.powerOff(one.record, place, work));
		await step('it is off again', () => power('off', 30_000));
		watching.close();
	}
}

function makeSubject(data: string, name: string): Subject {
	const id = randomUUID();
	const digits = createHash('sha256').update(id).digest('hex');
	const place = {directory: path.join(data, 'scopes', 'hyperv', name), sockets: path.join(data, 'sockets', name)};
	makePrivate(place.directory);
	const subject: Subject = {
		record: {
			schema: 1,
			id,
			name,
			scope: 'hyperv',
			createdAt: new Date().toISOString(),
			createdBy: 'selftest',
			phase: 'ready',
			image: {query: 'selftest', release: 'selftest', os: 'Ubuntu', hash: ''},
			hardware: {
				arch: 'x86_64',
				cpus: 1,
				memory: gibibyte,
				disk: 2 * gibibyte,
				mac: `52:54:00:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`,
			},
			ssh: {user: 'ubuntu', hostKey: ''},
			desired: 'stopped',
		},
		place,
		work: {
			signal: new AbortController().signal,
			progress() {},
			log: line => console.log(`          ${line}`),
			update: async change => {
				subject.record = {...subject.record, ...change} as InstanceRecord;
				return subject.record;
			},
		},
	};
	return subject;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const {values} = parseArgs({
		options: {image: {type: 'string'}, out: {type: 'string', default: 'hyperv-selftest.jsonl'}},
	});
	if (process.platform === 'win32') {
		console.log('drover’s self-test for Hyper-V. It takes a few minutes.');
		const image = values.image === undefined ? undefined : path.resolve(values.image);
		if (image !== undefined) accessSync(image);
		const failed = await selftest({out: path.resolve(values.out), image});
		process.exit(failed.length === 0 ? 0 : 1);
	} else {
		console.error('This is for Windows: there is no Hyper-V on this system.');
		process.exit(2);
	}
}
