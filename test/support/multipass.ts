import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {onTestFinished} from 'vitest';

/** What a Multipass instance is made of, where it is not as usual. */
export type Given = {
	/** Their number of it; 1: stopped. */
	readonly state?: number;
	readonly isDeleted?: boolean;
	readonly format?: 'qcow2' | 'raw' | 'vdi' | 'vhdx' | 'vpc';
	/** A disk that is there already. */
	readonly disk?: string;
	/** Tags of snapshots inside the disk. */
	readonly tags?: readonly string[];
	/** How many snapshots Multipass knows of. */
	readonly snapshots?: number;
	/** Instead of what a record usually has. */
	readonly record?: Record<string, unknown>;
	/** Where its disk is said to be. */
	readonly path?: string;
	readonly without?: 'record' | 'disk' | 'image record';
};

/**
 * The data directory of a Multipass as it lies on a host: one scope in it.
 * Source: what Multipass 1.16 writes (`multipassd-vm-instances.json`, `vault/instances`).
 */
export class MultipassData {
	readonly directory: string;
	readonly #records = new Map<string, Map<string, unknown>>();
	readonly #images = new Map<string, Map<string, unknown>>();
	#macs = 0;

	/** @param directory one that others remove; default: one that goes when the test has ended */
	constructor(directory?: string) {
		this.directory = directory ?? mkdtempSync(path.join(tmpdir(), 'drover-multipass-'));
		if (directory === undefined) onTestFinished(() => rmSync(this.directory, {recursive: true, force: true}));
		mkdirSync(path.join(this.directory, 'ssh-keys'));
		writeFileSync(path.join(this.directory, 'ssh-keys', 'id_rsa'), 'not a key', {mode: 0o600});
	}

	/** @returns its disk */
	add(name: string, given: Given = {}, scope = ''): string {
		const {format = 'qcow2', tags = [], snapshots = 0} = given;
		const extension = format === 'qcow2' || format === 'raw' ? 'img' : format === 'vpc' ? 'vhd' : format;
		const fileName = `ubuntu-24.04-server-cloudimg-amd64.${extension}`;
		const directory = path.join(this.directory, scope, 'vault', 'instances', name);
		const disk = path.join(directory, fileName);
		if (given.without !== 'disk') {
			mkdirSync(directory, {recursive: true});
			writeFileSync(path.join(directory, 'cloud-init-config.iso'), 'seed');
			if (given.disk === undefined) makeDisk(disk, format, name);
			else execFileSync('qemu-img', ['convert', '-O', format, given.disk, disk]);
			for (const tag of tags) execFileSync('qemu-img', ['snapshot', '-c', tag, disk]);
			for (let index = 1; index <= snapshots; index++) {
				writeFileSync(path.join(directory, `${String(index).padStart(4, '0')}.snapshot.json`), '{"snapshot":{}}');
			}
			if (snapshots > 0) writeFileSync(path.join(directory, 'snapshot-count'), String(snapshots));
		}
		const octet = String(++this.#macs).padStart(2, '0');
		const record = {
			num_cores: 2,
			mem_size: '536870912',
			disk_space: '1073741824',
			ssh_username: 'ubuntu',
			state: given.state ?? 1,
			deleted: given.isDeleted ?? false,
			mac_addr: `52:54:00:1A:2B:${octet}`,
			extra_interfaces: [],
			mounts: [],
			metadata: {machine_type: 'pc-q35-9.0', arguments: ['--enable-kvm']},
			clone_count: 0,
			...given.record,
		};
		if (given.without !== 'record') this.put(scope, name, record);
		if (given.without !== 'record' && given.without !== 'image record') {
			const at = given.path ?? `/var/snap/multipass/common/data/multipassd/vault/instances/${name}/${fileName}`;
			this.#of(this.#images, scope).set(name, {
				image: {
					path: at,
					id: 'a'.repeat(64),
					original_release: '24.04 LTS',
					current_release: '24.04 LTS',
					release_date: '20240423',
					os: 'Ubuntu',
					aliases: [],
				},
				query: {
					name: '',
					release: 'noble',
					persistent: false,
					remote_name: '',
					query_type: 0,
					allow_unsupported: false,
				},
				last_accessed: 1_700_000_000_000_000_000,
			});
		}
		this.write(scope);
		return disk;
	}

	/** A record as it stands. */
	put(scope: string, name: string, record: unknown) {
		this.#of(this.#records, scope).set(name, record);
		this.write(scope);
	}

	write(scope = '') {
		const root = path.join(this.directory, scope);
		mkdirSync(path.join(root, 'vault'), {recursive: true});
		// Not by an object's own rules: a name may be `__proto__`.
		const text = (map: ReadonlyMap<string, unknown>) =>
			`{${[...map].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',\n')}}`;
		writeFileSync(this.recordsFile(scope), text(this.#of(this.#records, scope)));
		writeFileSync(
			path.join(root, 'vault', 'multipassd-instance-image-records.json'),
			text(this.#of(this.#images, scope)),
		);
	}

	recordsFile(scope = ''): string {
		return path.join(this.directory, scope, 'multipassd-vm-instances.json');
	}

	/** Everything in it, byte for byte: originals are not touched. */
	fingerprint(): string {
		return execFileSync(
			'sh',
			[
				'-c',
				'find . -type f -exec sha256sum {} + | sort; find . | sort; find . -type f -printf "%p %m %s %T@\\n" | sort',
			],
			{
				cwd: this.directory,
				encoding: 'utf8',
			},
		);
	}

	#of(all: Map<string, Map<string, unknown>>, scope: string): Map<string, unknown> {
		const map = all.get(scope) ?? new Map<string, unknown>();
		all.set(scope, map);
		return map;
	}
}

/** A small disk with something of its own on it, and what a raw one is known by. */
export function makeDisk(file: string, format: string, content: string) {
	const raw = `${file}.source`;
	const bytes = Buffer.alloc(2 ** 20);
	bytes.write(content, 4096);
	bytes[510] = 0x55;
	bytes[511] = 0xaa;
	writeFileSync(raw, bytes);
	const size = 2 ** 26;
	if (format === 'raw') {
		writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(2 ** 20)]));
	} else {
		execFileSync('truncate', ['-s', String(size), raw]);
		execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, file]);
	}
	rmSync(raw);
}

/** What {@link makeDisk} has put onto a disk of a format. */
export function contentOf(disk: string, format = 'qcow2'): string {
	const raw = `${disk}.read`;
	execFileSync('qemu-img', ['convert', '-f', format, '-O', 'raw', disk, raw]);
	const bytes = readFileSync(raw);
	rmSync(raw);
	return bytes.toString('utf8', 4096, bytes.indexOf(0, 4096));
}
