const sectorSize = 2048;

/** busybox `findfs` does not look at devices smaller than some 68 KiB; this is as large as what `genisoimage` makes. */
const minimumSectors = 184;

const label = 'cidata';

/** Where things are, in sectors. ISO 9660 leaves the first sixteen to the system. */
const place = {
	primary: 16,
	joliet: 17,
	terminator: 18,
	pathTable: {little: 19, big: 20},
	jolietPathTable: {little: 21, big: 22},
	root: 23,
	jolietRoot: 24,
	files: 25,
} as const;

/** One fixed date (2024-01-01) in both of the standard's forms: equal files make an equal image. */
const recordDate = Buffer.from([124, 1, 1, 0, 0, 0, 0]);
const volumeDate = Buffer.from('2024010100000000\0', 'latin1');
const noDate = Buffer.from('0000000000000000\0', 'latin1');

const self = Buffer.from([0]);
const parent = Buffer.from([1]);

type Extent = {readonly name: string; readonly data: Buffer; readonly sector: number};

/**
 * A seed as cloud-init's NoCloud source reads it: ISO 9660 with Joliet names, labelled `cidata`, all files in its root.
 * The bytes depend on nothing but the files. Format: ECMA-119; Joliet Specification 1 (1995).
 * @param files contents by name; names of at most 64 characters, as Joliet has it
 * @returns at least 368 KiB, a whole number of 2048-byte sectors
 * @throws RangeError when there are more files than one sector of directory holds (about 25), or a name is too long
 */
export function nocloudIso(files: Readonly<Record<string, string>>): Buffer {
	const extents = layOut(files);
	const last = extents.at(-1);
	const sectors = Math.max(minimumSectors, last ? last.sector + sectorsFor(last.data.length) : place.files);
	const image = Buffer.alloc(sectors * sectorSize);
	const put = (sector: number, data: Buffer) => data.copy(image, sector * sectorSize);

	put(place.primary, volumeDescriptor('primary', sectors));
	put(place.joliet, volumeDescriptor('joliet', sectors));
	put(place.terminator, descriptorHead(255));
	put(place.pathTable.little, pathTable(place.root, 'little'));
	put(place.pathTable.big, pathTable(place.root, 'big'));
	put(place.jolietPathTable.little, pathTable(place.jolietRoot, 'little'));
	put(place.jolietPathTable.big, pathTable(place.jolietRoot, 'big'));
	put(place.root, directory(place.root, extents, shortName));
	put(place.jolietRoot, directory(place.jolietRoot, extents, bigEndianText));
	for (const {sector, data} of extents) put(sector, data);
	return image;
}

function layOut(files: Readonly<Record<string, string>>): Extent[] {
	let next: number = place.files;
	return Object.keys(files)
		.sort()
		.map(name => {
			if (name.length === 0 || name.length > 64) {
				throw new RangeError(`A file's name in a seed has 1 to 64 characters, not ${name.length}.`);
			}
			const extent = {name, data: Buffer.from(files[name]!, 'utf8'), sector: next};
			next += sectorsFor(extent.data.length);
			return extent;
		});
}

/** An empty file gets a sector too, so that no two files share an address. */
function sectorsFor(bytes: number): number {
	return Math.max(1, Math.ceil(bytes / sectorSize));
}

function descriptorHead(type: number): Buffer {
	const head = Buffer.alloc(sectorSize);
	head[0] = type;
	head.write('CD001', 1, 'latin1');
	head[6] = 1;
	return head;
}

function volumeDescriptor(kind: 'primary' | 'joliet', sectors: number): Buffer {
	const isJoliet = kind === 'joliet';
	const tables = isJoliet ? place.jolietPathTable : place.pathTable;
	const root = isJoliet ? place.jolietRoot : place.root;
	const descriptor = descriptorHead(isJoliet ? 2 : 1);
	const text = (value: string, offset: number, bytes: number) => {
		const field = isJoliet ? bigEndianText(value.padEnd(bytes >> 1)) : Buffer.from(value.padEnd(bytes), 'latin1');
		field.copy(descriptor, offset, 0, bytes);
	};
	text('', 8, 32);
	text(label, 40, 32);
	both32(sectors).copy(descriptor, 80);
	// The escape sequence that says: the names of this tree are UCS-2, level 3.
	if (isJoliet) descriptor.write('%/E', 88, 'latin1');
	both16(1).copy(descriptor, 120);
	both16(1).copy(descriptor, 124);
	both16(sectorSize).copy(descriptor, 128);
	both32(pathTableBytes).copy(descriptor, 132);
	descriptor.writeUInt32LE(tables.little, 140);
	descriptor.writeUInt32BE(tables.big, 148);
	directoryRecord(self, root, sectorSize, true).copy(descriptor, 156);
	// Volume set, publisher, preparer, application, then the three file identifiers: all blank.
	for (const offset of [190, 318, 446, 574]) text('', offset, 128);
	for (const offset of [702, 739, 776]) text('', offset, 37);
	for (const offset of [813, 830, 864]) volumeDate.copy(descriptor, offset);
	noDate.copy(descriptor, 847);
	descriptor[881] = 1;
	return descriptor;
}

const pathTableBytes = 10;

/** The path table of a volume that has only a root. */
function pathTable(root: number, order: 'little' | 'big'): Buffer {
	const table = Buffer.alloc(pathTableBytes);
	table[0] = 1;
	if (order === 'little') {
		table.writeUInt32LE(root, 2);
		table.writeUInt16LE(1, 6);
	} else {
		table.writeUInt32BE(root, 2);
		table.writeUInt16BE(1, 6);
	}
	return table;
}

function directory(sector: number, extents: readonly Extent[], identify: (name: string, index: number) => Buffer) {
	const records = extents
		.map((extent, index) => ({...extent, identifier: identify(extent.name, index)}))
		.sort((a, b) => Buffer.compare(a.identifier, b.identifier))
		.map(entry => directoryRecord(entry.identifier, entry.sector, entry.data.length, false));
	const content = Buffer.concat([
		directoryRecord(self, sector, sectorSize, true),
		directoryRecord(parent, sector, sectorSize, true),
		...records,
	]);
	if (content.length > sectorSize) throw new RangeError('A seed has more files than its directory holds.');
	return content;
}

function directoryRecord(identifier: Buffer, sector: number, bytes: number, isDirectory: boolean): Buffer {
	const length = 33 + identifier.length;
	const record = Buffer.alloc(length + (length % 2));
	record[0] = record.length;
	both32(sector).copy(record, 2);
	both32(bytes).copy(record, 10);
	recordDate.copy(record, 18);
	record[25] = isDirectory ? 2 : 0;
	both16(1).copy(record, 28);
	record[32] = identifier.length;
	identifier.copy(record, 33);
	return record;
}

/** A name that readers without Joliet see; the number keeps shortened names apart. */
function shortName(name: string, index: number): Buffer {
	const number = index.toString(36).toUpperCase();
	const stem = name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
	return Buffer.from(`${stem.slice(0, 8 - number.length)}${number}.;1`, 'latin1');
}

function bigEndianText(text: string): Buffer {
	return Buffer.from(text, 'utf16le').swap16();
}

/** A number as ISO 9660 writes it: little-endian, then the same big-endian. */
function both32(value: number): Buffer {
	const field = Buffer.alloc(8);
	field.writeUInt32LE(value, 0);
	field.writeUInt32BE(value, 4);
	return field;
}

function both16(value: number): Buffer {
	const field = Buffer.alloc(4);
	field.writeUInt16LE(value, 0);
	field.writeUInt16BE(value, 2);
	return field;
}
