import {mkdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {WorkContext} from '../../drivers/driver.ts';
import {checkCloudConfig, seedFiles} from '../../guest/seed.ts';
import type {CachedImage, ResolvedImage} from '../../images/image.ts';
import {scopeOf} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {ActionOptions, InstanceRecord, Intent} from '../../model/instance.ts';
import {usualTimes} from '../../model/launch-times.ts';
import type {Mount} from '../../model/mount.ts';
import {checkName, generateName} from '../../model/names.ts';
import type {NetworkSpec} from '../../model/network-spec.ts';
import {formatSize, limits} from '../../model/sizes.ts';
import {configKey, readLaunchTimes} from '../../state/launch-times.ts';
import {awaitAnswer} from '../answering.ts';
import type {LaunchRequest} from '../engine.ts';
import {MacAddresses} from '../hardware/networking.ts';
import type {Entry, Instances} from '../instances.ts';
import {wayOf} from '../mounting/mount-plan.ts';
import {abandoned} from '../operations.ts';
import type {Workshop} from '../workshop.ts';
import type {LaunchClock} from './launch-clock.ts';

export const cloudInitName = 'cloud-init.yaml';
export const hostKeyName = 'ssh_host_ed25519_key';

/** Checks the sizes of a request. @throws DroverError `instance.invalid` */
export function checkRequest(request: LaunchRequest): void {
	const {cpus, memory, disk} = request;
	if (cpus !== undefined && (!Number.isSafeInteger(cpus) || cpus < 1)) {
		throw new DroverError('instance.invalid', `Invalid CPU count ${cpus}: need a whole number, at least 1.`);
	}
	if (memory !== undefined && memory < limits.memoryMinimum) {
		throw new DroverError(
			'instance.invalid',
			`Invalid memory size ${formatSize(memory)}: need at least ${formatSize(limits.memoryMinimum)}.`,
		);
	}
	if (disk !== undefined && disk < limits.diskMinimum) {
		throw new DroverError(
			'instance.invalid',
			`Invalid disk size ${formatSize(disk)}: need at least ${formatSize(limits.diskMinimum)}.`,
		);
	}
}

/** Takes the name and writes down what is wanted; the work itself is {@link launch}. Nothing is left when it throws. */
export async function prepareLaunch(
	shop: Workshop,
	request: LaunchRequest,
	image: ResolvedImage,
	{networks, mounts}: {networks: readonly NetworkSpec[]; mounts: readonly Mount[]},
): Promise<Entry> {
	checkRequest(request);
	const isTaken = (taken: string) => shop.instances.has(taken);
	const name = request.name ?? generateName(isTaken, shop.random);
	checkName(name);
	const taken = isTaken(name);
	if (taken) {
		throw new DroverError('instance.exists', `instance "${name}" already exists`, {
			next: 'Choose another name; a deleted instance keeps its name until it is purged.',
		});
	}
	// Says no to a cloud-config that cannot be read before anything exists.
	if (request.cloudInit !== undefined) await checkCloudConfig(request.cloudInit, image.user);
	const hostKey = await shop.hostKey();
	const options: ActionOptions = {
		...(request.answerTimeout === undefined ? {} : {answerTimeout: request.answerTimeout}),
		...(mounts.length === 0 ? {} : {mounts}),
	};
	const macs = new MacAddresses(shop.instances, shop.random, networks);
	const privateNic = await shop.network.place(() => macs.free());
	const now = shop.now().toISOString();
	const record: InstanceRecord = {
		schema: 1,
		id: shop.uuid(),
		name,
		scope: scopeOf(shop.instances.driver.name),
		createdAt: now,
		createdBy: request.by,
		phase: 'creating',
		image: {query: image.query, release: image.release, os: image.os, hash: ''},
		hardware: {
			arch: shop.arch,
			cpus: request.cpus ?? limits.cpusDefault,
			memory: request.memory ?? image.memoryDefault,
			// Not asked for: the default, or what the image needs, which is known once it is there.
			disk: request.disk ?? limits.diskDefault,
			mac: macs.free(),
			...(networks.length === 0 ? {} : {nics: networks.map(spec => macs.nic(spec))}),
			...(privateNic === undefined ? {} : {privateNic}),
		},
		ssh: {user: image.user, hostKey: hostKey.public},
		desired: 'running',
		...(request.target === undefined ? {} : {target: request.target}),
		intent: {action: 'launch', options, by: request.by, at: now},
	};
	const entry = await shop.instances.create(record);
	try {
		const {directory} = shop.instances.place(entry);
		const secret = {mode: 0o600, flag: 'wx'} as const;
		await writeFile(path.join(directory, hostKeyName), hostKey.private, secret);
		if (request.cloudInit !== undefined)
			await writeFile(path.join(directory, cloudInitName), request.cloudInit, secret);
	} catch (error) {
		await shop.instances.remove(entry);
		throw error;
	}
	return entry;
}

/**
 * From a record to a guest that answers; the rest is in `settleIn`. Whatever fails before the guest answers undoes the
 * launch.
 */
export async function launch(
	shop: Workshop,
	entry: Entry,
	resolve: () => Promise<ResolvedImage>,
	clock: LaunchClock,
	work: WorkContext,
): Promise<void> {
	const {phase, intent} = shop.instances.record(entry);
	try {
		if (phase === 'creating') await makeAndStart(shop, entry, resolve, intent, clock, work);
		else await expectTimes(shop, entry, clock);
	} finally {
		clock.stop();
	}
}

async function makeAndStart(
	shop: Workshop,
	entry: Entry,
	resolve: () => Promise<ResolvedImage>,
	intent: Intent | undefined,
	clock: LaunchClock,
	work: WorkContext,
): Promise<void> {
	const {instances} = shop;
	const place = instances.place(entry);
	let timed = work;
	work.progress('creating');
	const image = await resolve();
	try {
		const form = await instances.driver.imageForm?.(instances.record(entry));
		const cached = await shop.images.fetch(image, work, form);
		await fitDisk(instances, entry, cached, work);
		work.signal.throwIfAborted();
		const record = await work.update({image: {...instances.record(entry).image, hash: cached.hash}});
		await expectTimes(shop, entry, clock);
		clock.begin('create');
		timed = clock.over(work);
		timed.progress('preparing the image');
		await mkdir(place.sockets, {recursive: true, mode: 0o700});
		const seed = await readSeed(shop, record, place.directory, {isContainer: cached.format === 'rootfs'});
		await instances.driver.create(
			record,
			place,
			{imagePath: cached.path, imageFormat: cached.format, imageHash: cached.hash, seed},
			timed,
		);
		clock.begin('boot');
		timed.progress('starting');
		await instances.driver.start(instances.record(entry), place, timed);
	} catch (error) {
		await undo(shop, entry, work, error);
		throw error;
	}
	const did = `launched from ${instances.record(entry).image.query}`;
	try {
		await awaitAnswer(shop, entry, timed, {seconds: intent?.options.answerTimeout, did});
	} catch (error) {
		const isTimeout = error instanceof DroverError && error.code === 'guest.unanswered';
		if (!isTimeout) await undo(shop, entry, work, error);
		else await keepUnanswered(shop, entry, intent, work);
		throw error;
	}
	// What was begun before intents were kept to the end goes on like all others.
	const {createdBy: by, createdAt: at} = instances.record(entry);
	await work.update({phase: 'ready', intent: intent ?? {action: 'launch', options: {}, by, at}});
	await instances.tell(entry, did, intent?.by);
}

/** A guest that has not answered in time stays; one whose launch is called off meanwhile does not. */
async function keepUnanswered(
	shop: Workshop,
	entry: Entry,
	intent: Intent | undefined,
	work: WorkContext,
): Promise<void> {
	try {
		await work.update({phase: 'ready', intent: undefined, ...(await lateMounts(shop, entry, intent, work))});
	} catch (error) {
		await undo(shop, entry, work, error);
		throw error;
	}
}

/** The mounts of a guest that has not answered in time: they come with its answer, as after every start. */
async function lateMounts(
	{instances}: Workshop,
	entry: Entry,
	intent: Intent | undefined,
	work: WorkContext,
): Promise<Pick<InstanceRecord, 'mounts'>> {
	const {driver} = instances;
	const mounts: Mount[] = [];
	for (const mount of intent?.options.mounts ?? []) {
		try {
			if (wayOf(mount, driver) === 'own')
				await driver.mount!(instances.record(entry), instances.place(entry), mount, work);
			mounts.push(mount);
		} catch (error) {
			work.signal.throwIfAborted();
			work.log(`${mount.source} could not be mounted: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	return mounts.length === 0 ? {} : {mounts};
}

/** From now on it can be told how far the launch is, if it is not the first of its kind. */
async function expectTimes({instances, paths}: Workshop, entry: Entry, clock: LaunchClock): Promise<void> {
	const [times, cloudInit] = await Promise.all([
		readLaunchTimes(paths, {driver: instances.driver.name, image: instances.record(entry).image.hash}),
		cloudInitOf(instances.place(entry).directory),
	]);
	clock.expect(usualTimes(times, configKey(cloudInit)));
}

/** The user's cloud-config, as it was given. */
export function cloudInitOf(directory: string): Promise<string | undefined> {
	return readFile(path.join(directory, cloudInitName), 'utf8').catch(() => undefined);
}

async function fitDisk(instances: Instances, entry: Entry, image: CachedImage, work: WorkContext): Promise<void> {
	const {hardware} = instances.record(entry);
	if (hardware.disk >= image.virtualSize) return;
	if (hardware.disk !== limits.diskDefault) {
		throw new DroverError(
			'instance.invalid',
			`The disk of ${formatSize(hardware.disk)} is smaller than this image, which needs ${formatSize(image.virtualSize)}.`,
			{next: `Ask for --disk ${Math.ceil(image.virtualSize / 2 ** 20)}M or more.`},
		);
	}
	await work.update({hardware: {...hardware, disk: image.virtualSize}});
}

export async function readSeed(
	shop: Workshop,
	record: InstanceRecord,
	directory: string,
	{
		isContainer,
		isClone = false,
		withCloudInit = true,
	}: {isContainer: boolean; isClone?: boolean /** What its user asked cloud-init for. */; withCloudInit?: boolean},
) {
	const [hostKey, cloudInit] = await Promise.all([
		readFile(path.join(directory, hostKeyName), 'utf8'),
		withCloudInit ? cloudInitOf(directory) : undefined,
	]);
	const {public: clientKey} = await shop.clientKey();
	return seedFiles({
		id: record.id,
		name: record.name,
		user: record.ssh.user,
		mac: record.hardware.mac,
		nics: record.hardware.nics ?? [],
		privateNic: record.hardware.privateNic,
		os: record.image.os,
		isContainer,
		isClone,
		clientKey,
		hostKey: {private: hostKey, public: record.ssh.hostKey},
		...(cloudInit === undefined ? {} : {cloudInit}),
	});
}

/** Leaves nothing behind, unless the daemon is ending: then the next one takes the launch up. */
export async function undo(
	shop: Workshop,
	entry: Entry,
	work: WorkContext,
	why: unknown,
	what = 'launch',
): Promise<void> {
	if (work.signal.reason === abandoned) return;
	work.log(`undoing the ${what}: ${why instanceof Error ? why.message : String(why)}`);
	// The work's own signal may be what ended the launch; cleaning up must not stop at it.
	const calm: WorkContext = {...work, signal: new AbortController().signal};
	const {instances} = shop;
	await instances.driver.destroy(instances.record(entry), instances.place(entry), calm);
	await instances.remove(entry);
	await shop.layers.sweep().catch(() => {});
}
