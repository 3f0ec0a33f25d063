import {mkdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {Adoptable, Driver, InstancePlace, Resources} from '../../source/drivers/driver.ts';
import {backingChain} from '../../source/images/backing.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {Forward} from '../../source/model/forward.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import type {Metrics} from '../../source/model/metrics.ts';
import type {Mount} from '../../source/model/mount.ts';
import type {HostNetwork, Nic} from '../../source/model/network.ts';

/** The methods of the contract that a driver may have or not. */
export const optionalMethods = [
	'mount',
	'unmount',
	'networks',
	'addNic',
	'resize',
	'metrics',
	'forwards',
	'forwardProblem',
	'direct',
	'answers',
	'execute',
	'consoleText',
	'members',
	'adoptables',
	'adopt',
	'snapshots',
	'clone',
	'linkedClone',
	'sharesByItself',
	'imageForm',
	'diskFile',
] as const satisfies ReadonlyArray<keyof Driver>;
export type OptionalMethod = (typeof optionalMethods)[number];

/** What `snapshots` consists of. */
export type SnapshotMethod = 'takeSnapshot' | 'restoreSnapshot' | 'removeSnapshot';

type Step = (
	method: OptionalMethod | SnapshotMethod,
	record: InstanceRecord,
	work?: {readonly signal: AbortSignal},
) => Promise<void>;

/** The file that stands for an instance's disk. */
export const diskOf = (place: InstancePlace) => path.join(place.directory, 'disk');

/** Says which layer a disk lies over, as real disks do: see `layers.ts`. */
export const overlayOf = (place: InstancePlace) => path.join(place.directory, 'disk.qcow2');

/** The beginning of a qcow2 disk that lies over another, and nothing else of it. */
function overlayOver(file: string): Buffer {
	const header = Buffer.alloc(112);
	header.write('QFI\u00FB', 'latin1');
	header.writeUInt32BE(3, 4);
	header.writeBigUInt64BE(112n, 8);
	header.writeUInt32BE(Buffer.byteLength(file), 16);
	return Buffer.concat([header, Buffer.from(file)]);
}

/** What a simulated hypervisor keeps for the optional parts of the contract; outlives engines, as real ones do. */
export class SimulatedParts {
	/** By instance id. */
	readonly mounts = new Map<string, readonly Mount[]>();
	readonly nics = new Map<string, readonly Nic[]>();
	readonly hardware = new Map<string, Resources>();
	/** The content and the size of disks, by instance id and tag. */
	readonly snapshots = new Map<string, Map<string, {readonly content: string; readonly disk: number}>>();
	snapshotsLive = false;
	networks: readonly HostNetwork[] = [
		{name: 'br0', type: 'bridge', description: 'the house'},
		{name: 'lxdbr0', type: 'bridge', description: 'LXD'},
	];
	members: readonly string[] = [];
	imageForm: 'disk' | 'rootfs' = 'disk';
	/** Why there is no disk to be copied. */
	noDisk: string | undefined;
	adoptables: readonly Adoptable[] = [];
	/** A record for one of them, as the driver makes it. */
	adopt: (name: string) => InstanceRecord = () => {
		throw new DroverError('instance.invalid', 'there is nothing to adopt');
	};
	/** By instance id, as they are in force; `taken` has ports that another program has. */
	readonly forwards = new Map<string, readonly Forward[]>();
	readonly taken = new Set<number>();
	samples = new Map<string, Metrics>();
	/** What a guest says when it is asked by way of the hypervisor; `undefined`: nothing. */
	answers: (record: InstanceRecord) => string | undefined = () => undefined;
	/** What the guest's initialization says when it is asked by way of the hypervisor. */
	initLine: (record: InstanceRecord) => string = () => 'verdict {"status":"done"}';
	resizesLive: ReadonlySet<keyof Resources> = new Set();

	/**
	 * All of them, for `step` to be told of each.
	 * @param trace awaited after what leaves a trace: where a test ends the life of the daemon that asks
	 */
	methods(step: Step, trace: () => Promise<void> = async () => {}): Required<Pick<Driver, OptionalMethod>> {
		const without = (id: string, target: string) => (this.mounts.get(id) ?? []).filter(each => each.target !== target);
		return {
			mount: async (record, _place, mount, work) => {
				await step('mount', record, work);
				this.mounts.set(record.id, [...without(record.id, mount.target), mount]);
			},
			unmount: async (record, _place, mount, work) => {
				await step('unmount', record, work);
				this.mounts.set(record.id, without(record.id, mount.target));
			},
			networks: async () => this.networks,
			addNic: async (record, _place, nic, work) => {
				await step('addNic', record, work);
				const others = (this.nics.get(record.id) ?? []).filter(each => each.mac !== nic.mac);
				this.nics.set(record.id, [...others, nic]);
			},
			resize: async (record, _place, hardware, work) => {
				await step('resize', record, work);
				this.hardware.set(record.id, {...this.hardware.get(record.id), ...hardware});
			},
			forwards: async (record, _place, work) => {
				await step('forwards', record, work);
				const wanted = record.forwards ?? [];
				this.forwards.set(
					record.id,
					wanted.filter(forward => !this.taken.has(forward.host)),
				);
				return wanted.flatMap(forward =>
					this.taken.has(forward.host) ? [{forward, reason: 'another program has the port'}] : [],
				);
			},
			forwardProblem: async (_record, _place, forward) =>
				this.taken.has(forward.host) ? 'another program has the port' : undefined,
			metrics: async record => this.samples.get(record.name),
			direct: async record => ({
				name: record.name,
				endpoint: {kind: 'socket', path: '/run/simulated'},
				project: 'drover',
				instance: record.name,
				user: record.ssh.user,
			}),
			answers: async (record, _place, signal) => {
				await step('answers', record, {signal});
				const answer = this.answers(record);
				if (answer === undefined) throw new DroverError('guest.unanswered', 'the guest is not up');
				return answer;
			},
			execute: async (record, _place, _command, {signal}) => {
				await step('execute', record, {signal});
				return {code: 0, stdout: `${this.initLine(record)}\n`};
			},
			consoleText: async () => 'simulated console',
			members: async () => this.members,
			imageForm: async () => this.imageForm,
			diskFile: async (_record, place) => this.noDisk ?? {file: diskOf(place), format: 'qcow2'},
			adoptables: async () => this.adoptables,
			adopt: async name => this.adopt(name),
			snapshots: {
				isLive: this.snapshotsLive,
				take: async (record, place, tag, work) => {
					await step('takeSnapshot', record, work);
					const tags = this.#tags(record.id);
					if (!tags.has(tag)) {
						tags.set(tag, {content: await readFile(diskOf(place), 'utf8'), disk: record.hardware.disk});
					}
					await trace();
				},
				restore: async (record, place, tag, work) => {
					await step('restoreSnapshot', record, work);
					const found = this.#tags(record.id).get(tag);
					if (found === undefined) throw new DroverError('snapshot.missing', 'the disk has no such snapshot');
					await writeFile(diskOf(place), found.content);
					await trace();
					return {disk: found.disk};
				},
				remove: async (record, _place, tag, work) => {
					await step('removeSnapshot', record, work);
					this.#tags(record.id).delete(tag);
					await trace();
				},
			},
			clone: async (source, record, place, seed, work) => {
				await step('clone', record, work);
				work.progress('copying the disk', 50);
				await writeFile(diskOf(place), await readFile(diskOf(source.place), 'utf8'));
				await trace();
				await writeFile(path.join(place.directory, 'seed'), JSON.stringify(seed));
			},
			// As real disks are shared: the layer has a whole disk before anything lies over it.
			linkedClone: async (source, record, place, layer, seed, work) => {
				await step('linkedClone', record, work);
				const chain = await backingChain(overlayOf(source.place)).catch((): string[] => []);
				if (!chain.includes(layer)) {
					await mkdir(path.dirname(layer), {recursive: true});
					await trace();
					const [below] = chain;
					await writeFile(layer, below === undefined ? 'a disk' : overlayOver(below));
					await trace();
					await writeFile(overlayOf(source.place), overlayOver(layer));
					await trace();
				}
				await writeFile(diskOf(place), await readFile(diskOf(source.place), 'utf8'));
				await writeFile(overlayOf(place), overlayOver(layer));
				await trace();
				await writeFile(path.join(place.directory, 'seed'), JSON.stringify(seed));
			},
			sharesByItself: true,
		};
	}

	#tags(id: string) {
		const tags = this.snapshots.get(id) ?? new Map();
		this.snapshots.set(id, tags);
		return tags;
	}
}
