import {execFile} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {
	chmodSync,
	closeSync,
	existsSync,
	openSync,
	readSync,
	renameSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import {promisify} from 'node:util';
import {optionsOf} from './machines.ts';
import {type Answer, bar, codes, type Medium, Refusal} from './model.ts';
import type {World} from './world.ts';

const qemuImg = async (...args: string[]) => promisify(execFile)('qemu-img', args);

function head(file: string, length: number): Buffer {
	const descriptor = openSync(file, 'r');
	try {
		const buffer = Buffer.alloc(length);
		return buffer.subarray(0, readSync(descriptor, buffer, 0, length, 0));
	} finally {
		closeSync(descriptor);
	}
}

const uuidAt = 392;
const sizeAt = 368;

function isVdi(bytes: Buffer): boolean {
	return bytes.length >= 408 && bytes.readUInt32LE(64) === 0xbe_da_10_7f;
}

/** The id is in the disk's own header. */
function uuidIn(bytes: Buffer): string {
	return bytes
		.subarray(uuidAt, uuidAt + 16)
		.toString('hex')
		.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function writeUuid(file: string, uuid: string): void {
	const descriptor = openSync(file, 'r+');
	writeSync(descriptor, Buffer.from(uuid.replaceAll('-', ''), 'hex'), 0, 16, uuidAt);
	closeSync(descriptor);
}

/** Where a disk of one piece has its data, and how much. */
export function dataOf(file: string): {offset: number; size: number} {
	const bytes = head(file, 512);
	return {offset: bytes.readUInt32LE(344), size: Number(bytes.readBigUInt64LE(sizeAt))};
}

/** @throws Refusal */
export async function openMedium(world: World, what: string, kind: 'disk' | 'dvd'): Promise<Medium> {
	const known = world.media.get(what) ?? [...world.media.values()].find(({uuid}) => uuid === what);
	if (known) return known;
	if (!existsSync(what)) {
		throw new Refusal(`Could not find file for the medium '${what}' (VERR_FILE_NOT_FOUND)`, codes.file);
	}
	const bytes = head(what, 512);
	const unknown = () =>
		new Refusal(
			`Could not get the storage format of the medium '${what}' (VERR_NOT_SUPPORTED)`,
			'VBOX_E_IPRT_ERROR (0x80bb0005), component MediumWrap, interface IMedium, callee nsISupports',
		);
	let medium: Medium;
	if (kind === 'dvd') {
		if (statSync(what).size < 0x9000) throw unknown();
		medium = {uuid: randomUUID(), path: what, format: 'RAW', kind, capacity: statSync(what).size};
	} else if (isVdi(bytes)) {
		const uuid = uuidIn(bytes);
		const other = [...world.media.values()].find(each => each.uuid === uuid);
		if (other) {
			throw new Refusal(
				`Cannot register the hard disk '${what}' {${uuid}} because a hard disk '${other.path}' with UUID {${uuid}} already exists`,
				'NS_ERROR_INVALID_ARG (0x80070057), component VirtualBoxWrap, interface IVirtualBox, callee nsISupports',
			);
		}
		medium = {uuid, path: what, format: 'VDI', kind, capacity: Number(bytes.readBigUInt64LE(sizeAt))};
	} else if (bytes.length >= 104 && bytes.readUInt32BE(0) === 0x51_46_49_fb) {
		const table = Number(bytes.readBigUInt64BE(40)) + 8 * bytes.readUInt32BE(36);
		if (statSync(what).size < Math.ceil(table / 65_536) * 65_536) {
			throw new Refusal(
				`Could not open the medium '${what}'.\nVBoxManage: error: QCow: Reading the L1 table for image '${what}' failed (VERR_EOF).\nVBoxManage: error: VD: error VERR_EOF opening image file '${what}' (VERR_EOF)`,
				'NS_ERROR_FAILURE (0x80004005), component MediumWrap, interface IMedium, callee nsISupports',
			);
		}
		medium = {uuid: randomUUID(), path: what, format: 'QCOW', kind, capacity: Number(bytes.readBigUInt64BE(24))};
	} else throw unknown();
	world.media.set(what, medium);
	world.save();
	return medium;
}

/** Makes a VDI. Where no guest ever reads it, one that has only a head. */
async function convert(world: World, format: string, from: string, size: number, to: string): Promise<Medium> {
	const uuid = randomUUID();
	if (world.behaviour.guest === 'qemu') {
		// Of one piece, so that QEMU can take it for raw: what it knows as VDI it does not save the memory of.
		await qemuImg('convert', '-f', format, '-O', 'vdi', '-o', 'static=on', from, `${to}.new`);
	} else {
		const bytes = Buffer.alloc(512);
		bytes.writeUInt32LE(0xbe_da_10_7f, 64);
		bytes.writeBigUInt64LE(BigInt(size), sizeAt);
		writeFileSync(`${to}.new`, bytes);
	}
	chmodSync(`${to}.new`, 0o600);
	writeUuid(`${to}.new`, uuid);
	renameSync(`${to}.new`, to);
	return {uuid, path: to, format: 'VDI', kind: 'disk', capacity: size};
}

/** Gives a VDI another size. QEMU's tool makes a new one for it. */
async function grow(world: World, {path: file, uuid}: Medium, size: number): Promise<void> {
	if (world.behaviour.guest === 'qemu') {
		const raw = `${file}.raw`;
		await qemuImg('convert', '-f', 'vdi', '-O', 'raw', file, raw);
		truncateSync(raw, size);
		await qemuImg('convert', '-f', 'raw', '-O', 'vdi', '-o', 'static=on', raw, `${file}.new`);
		rmSync(raw);
		chmodSync(`${file}.new`, 0o600);
		writeUuid(`${file}.new`, uuid);
		renameSync(`${file}.new`, file);
		return;
	}
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64LE(BigInt(size));
	const descriptor = openSync(file, 'r+');
	writeSync(descriptor, bytes, 0, 8, sizeAt);
	closeSync(descriptor);
}

export async function clonemedium(world: World, args: readonly string[]): Promise<Answer> {
	const [, from, to] = optionsOf(args).words;
	const source = await openMedium(world, from!, 'disk');
	if (existsSync(to!)) {
		throw new Refusal(
			`Failed to clone medium\nVBoxManage: error: Could not create the clone medium '${to}'.\nVBoxManage: error: VDI: cannot create image '${to}' (VERR_ALREADY_EXISTS)`,
			'VBOX_E_FILE_ERROR (0x80bb0004), component MediumWrap, interface IMedium',
			{err: '0%...VBOX_E_FILE_ERROR\n'},
		);
	}
	const format = source.format === 'QCOW' ? 'qcow2' : 'vdi';
	const medium = await convert(world, format, source.path, source.capacity, to!);
	world.media.set(to!, medium);
	world.save();
	return {out: `Clone medium created in format 'VDI'. UUID: ${medium.uuid}\n`, err: bar};
}

export async function convertfromraw(world: World, args: readonly string[]): Promise<Answer> {
	const [from, to] = optionsOf(args).words;
	const {size} = statSync(from!);
	await convert(world, 'raw', from!, size, to!);
	// On the standard error, as if it were progress.
	return {
		err: `Converting from raw image file="${from}" to file="${to}"...\nCreating dynamic image with size ${size} bytes (${Math.floor(size / 2 ** 20)}MB)...\n`,
	};
}

export async function modifymedium(world: World, args: readonly string[]): Promise<Answer> {
	const {options, words} = optionsOf(args);
	const medium = await openMedium(world, words[1]!, 'disk');
	const wanted = Number(options.get('--resizebyte') ?? Number(options.get('--resize')) * 2 ** 20);
	if (wanted < medium.capacity) {
		throw new Refusal(
			`Failed to resize medium\nVBoxManage: error: Shrinking is not yet supported for medium '${medium.path}'`,
			'VBOX_E_NOT_SUPPORTED (0x80bb0009), component MediumWrap, interface IMedium',
			{err: '0%...VBOX_E_NOT_SUPPORTED\n'},
		);
	}
	if (wanted > medium.capacity) {
		await grow(world, medium, wanted);
		medium.capacity = wanted;
		world.save();
	}
	return {err: bar};
}

export async function closemedium(world: World, args: readonly string[]): Promise<Answer> {
	const {options, words} = optionsOf(args);
	const medium = await openMedium(world, words[1]!, words[0] === 'dvd' ? 'dvd' : 'disk');
	const users = [...world.machines.values()].filter(({attachments}) =>
		attachments.some(({path}) => path === medium.path),
	);
	if (users.length > 0) {
		throw new Refusal(
			`Medium '${medium.path}' cannot be closed because it is still attached to ${users.length} virtual machines`,
			'VBOX_E_OBJECT_IN_USE (0x80bb000c), component MediumWrap, interface IMedium, callee nsISupports',
		);
	}
	world.media.delete(medium.path);
	world.save();
	if (!options.has('--delete')) return {};
	rmSync(medium.path, {force: true});
	return {err: bar};
}
