import {randomBytes, randomUUID} from 'node:crypto';
import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {execa} from 'execa';
import type {Driver, InstancePlace, WorkContext} from '../../source/drivers/driver.ts';
import {waitForSsh} from '../../source/guest/answer.ts';
import {clientKey, generateHostKey} from '../../source/guest/keys.ts';
import {seedFiles} from '../../source/guest/seed.ts';
import {sshArguments} from '../../source/guest/ssh-command.ts';
import {sshAccess} from '../../source/guest/ssh-config.ts';
import type {CachedImage} from '../../source/images/image.ts';
import type {ScopeName} from '../../source/model/driver-name.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import {instanceDirectory, locate, makePrivate, type Paths, socketDirectory} from '../../source/state/paths.ts';
import {changeRecord} from '../../source/state/records.ts';

/** A home of a test file's own, in which drivers are made as each new daemon would make one. */
export async function makeHome(): Promise<Paths> {
	return locate({DROVER_HOME: await mkdtemp(path.join(tmpdir(), 'drover-contract-'))}, 'linux');
}

export async function removeHome(paths: Paths): Promise<void> {
	await rm(path.dirname(paths.data), {recursive: true, force: true});
}

/** One instance under test: what the engine would hold of it. */
export class Subject {
	readonly paths: Paths;
	readonly place: InstancePlace;
	readonly image: CachedImage;
	readonly log: string[] = [];
	/** As the records have it: every update of a driver's arrives here. */
	record: InstanceRecord;
	/** Called before an update is kept; a test may fail it. */
	beforeUpdate: (() => Promise<void>) | undefined;
	readonly #seed: Readonly<Record<string, string>>;

	private constructor(
		paths: Paths,
		image: CachedImage,
		record: InstanceRecord,
		seed: Readonly<Record<string, string>>,
	) {
		this.paths = paths;
		this.image = image;
		this.record = record;
		this.#seed = seed;
		this.place = {
			directory: instanceDirectory(paths, record.scope, record.name),
			sockets: socketDirectory(paths, record.id),
		};
		makePrivate(this.place.directory);
	}

	static async make(paths: Paths, image: CachedImage, name: string, scope: ScopeName): Promise<Subject> {
		const id = randomUUID();
		const hostKey = await generateHostKey();
		const mac = `52:54:00:${[...randomBytes(3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`;
		const record: InstanceRecord = {
			schema: 1,
			id,
			name,
			scope,
			createdAt: new Date().toISOString(),
			createdBy: 'test',
			phase: 'creating',
			image: {query: 'micro', release: 'Micro 1', os: 'drover', hash: image.hash},
			hardware: {arch: 'x86_64', cpus: 1, memory: 256 * mebibyte, disk: 512 * mebibyte, mac},
			ssh: {user: 'ubuntu', hostKey: hostKey.public},
			desired: 'running',
		};
		const {public: key} = await clientKey(paths);
		const seed = await seedFiles({id, name, user: 'ubuntu', clientKey: key, hostKey, mac});
		return new Subject(paths, image, record, seed);
	}

	work(signal: AbortSignal = new AbortController().signal): WorkContext {
		return {
			signal,
			progress: () => {},
			log: line => void this.log.push(line),
			update: async change => {
				await this.beforeUpdate?.();
				this.record = changeRecord(this.record, change);
				return this.record;
			},
		};
	}

	create(driver: Driver) {
		return driver.create(
			this.record,
			this.place,
			{imagePath: this.image.path, imageFormat: this.image.format, imageHash: this.image.hash, seed: this.#seed},
			this.work(),
		);
	}

	/** Makes it out of another, which must be off. */
	cloneOf(driver: Driver, source: Subject) {
		const {lxd} = source.record;
		this.record = {...this.record, ...(lxd === undefined ? {} : {lxd})};
		const from = {record: source.record, place: source.place};
		return driver.clone!(from, this.record, this.place, this.#seed, this.work());
	}

	start(driver: Driver) {
		return driver.start(this.record, this.place, this.work());
	}

	stop(driver: Driver, timeoutMs = 60_000) {
		return driver.stop(this.record, this.place, {timeoutMs}, this.work());
	}

	suspend(driver: Driver) {
		return driver.suspend(this.record, this.place, {by: 'user'}, this.work());
	}

	powerOff(driver: Driver) {
		return driver.powerOff(this.record, this.place, this.work());
	}

	observe(driver: Driver) {
		return driver.observe(this.record, this.place);
	}

	async power(driver: Driver) {
		return (await this.observe(driver)).power;
	}

	async pid(driver: Driver): Promise<number> {
		const {pid} = await driver.inspect(this.record, this.place);
		if (pid === undefined) throw new Error('it has no process');
		return pid;
	}

	/** Waits for the guest's ssh server. */
	async answer(driver: Driver): Promise<string> {
		// Some are told their address only a while after the start.
		await eventually('it has an address', async () => (await this.observe(driver)).ssh !== undefined, 60_000);
		const {ssh} = await this.observe(driver);
		if (!ssh) throw new Error('the driver tells no address');
		return waitForSsh({...ssh, timeoutMs: 120_000, signal: new AbortController().signal});
	}

	/** Runs a command in the guest; the guest's key must be the one that was given to it. */
	async ssh(driver: Driver, ...command: string[]): Promise<string> {
		const {ssh} = await this.observe(driver);
		if (!ssh) throw new Error('the driver tells no address');
		const {name, id} = this.record;
		const {user, hostKey} = this.record.ssh;
		const access = await sshAccess(this.paths, {name, id, ...ssh, user, hostKey});
		const {stdout} = await execa('ssh', sshArguments(access, {command, connectTimeoutSeconds: 20}), {
			timeout: 60_000,
			stdin: 'ignore',
		});
		return stdout;
	}

	bootId(driver: Driver) {
		return this.ssh(driver, 'cat', '/proc/sys/kernel/random/boot_id');
	}
}

/** Every process of the host that names an instance in its command line. */
export async function processesNaming(id: string): Promise<number[]> {
	const found: number[] = [];
	for (const name of await readdir('/proc')) {
		if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
		const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
		if (line.includes(id)) found.push(Number(name));
	}
	return found;
}

/** Waits until something is so; fails with what it was waiting for when it is not within the time. */
export async function eventually(what: string, check: () => Promise<boolean> | boolean, timeoutMs = 10_000) {
	const deadline = performance.now() + timeoutMs;
	while (!(await check())) {
		if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
		await new Promise(resolve => setTimeout(resolve, 20));
	}
}
