import type {Stats} from 'node:fs';
import {attributeFlags, types, Writer} from '../packets.ts';
import type {IdMaps} from './id-maps.ts';

/** Owners of both kinds. */
export type Owners = {readonly users: IdMaps; readonly groups: IdMaps};

export type Named = {readonly name: Buffer | string; readonly stats?: Stats};

export function statusAnswer(id: number, status: number, words = ''): Buffer {
	return new Writer(types.status).number(id).number(status).bytes(words).bytes('').end();
}

export function handleAnswer(id: number, handle: number): Buffer {
	return new Writer(types.handle).number(id).number(4).number(handle).end();
}

export function attributesAnswer(id: number, stats: Stats, owners: Owners): Buffer {
	return putAttributes(new Writer(types.attributes).number(id), stats, owners).end();
}

export function namesAnswer(id: number, names: readonly Named[], owners: Owners): Buffer {
	const writer = new Writer(types.name).number(id).number(names.length);
	for (const {name, stats} of names) {
		// The second is a line for people, which nobody reads.
		writer.bytes(name).bytes(name);
		if (stats === undefined) writer.number(0);
		else putAttributes(writer, stats, owners);
	}
	return writer.end();
}

/** Length, type, id and length of the content, before the content. */
const dataHead = 13;

/** An answer with content, which is read straight into its place. @returns `undefined` when there was nothing to read */
export function dataAnswer(id: number, most: number, read: (into: Buffer) => number): Buffer | undefined {
	const whole = Buffer.allocUnsafe(dataHead + most);
	const count = read(whole.subarray(dataHead));
	if (count === 0) return undefined;
	whole.writeUInt32BE(dataHead - 4 + count, 0);
	whole.writeUInt8(types.data, 4);
	whole.writeUInt32BE(id, 5);
	whole.writeUInt32BE(count, 9);
	return whole.subarray(0, dataHead + count);
}

function putAttributes(writer: Writer, stats: Stats, {users, groups}: Owners): Writer {
	const {size, owner, mode, times} = attributeFlags;
	return writer
		.number(size | owner | mode | times)
		.offset(stats.size)
		.number(users.toGuest(stats.uid))
		.number(groups.toGuest(stats.gid))
		.number(stats.mode)
		.number(seconds(stats.atimeMs))
		.number(seconds(stats.mtimeMs));
}

/** As this version has it: 32 bits, none before 1970. */
function seconds(milliseconds: number): number {
	return Math.min(0xff_ff_ff_ff, Math.max(0, Math.floor(milliseconds / 1000)));
}
