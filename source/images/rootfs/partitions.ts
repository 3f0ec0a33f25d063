import type {Bytes} from '../ext4/volume.ts';

/** Where a file system may begin on a disk, and where it ends at the latest; both in bytes. */
export type Place = {readonly start: number; readonly size: number};

const sector = 512;
const protective = 0xee;

/**
 * The partitions of a disk, by GPT or MBR (without the logical ones of an extended partition), and the disk itself, for
 * one without partitions. Source: UEFI specification 2.10, chapter 5.
 */
export async function placesOn(disk: Bytes): Promise<Place[]> {
	const places: Place[] = [];
	const add = (first: number, sectors: number) => {
		const start = first * sector;
		const size = Math.min(sectors * sector, disk.size - start);
		if (Number.isSafeInteger(start) && first > 0 && size > 0) places.push({start, size});
	};
	const record = await disk.read(0, sector);
	if (record[510] === 0x55 && record[511] === 0xaa) {
		for (let at = 446; at < 510; at += 16) {
			if (record[at + 4] === protective) for (const [first, count] of await guidPartitions(disk)) add(first, count);
			else if (record[at + 4] !== 0) add(record.readUInt32LE(at + 8), record.readUInt32LE(at + 12));
		}
	}
	return [...places, {start: 0, size: disk.size}];
}

async function guidPartitions(disk: Bytes): Promise<[number, number][]> {
	if (disk.size < 2 * sector) return [];
	const header = await disk.read(sector, sector);
	if (header.toString('latin1', 0, 8) !== 'EFI PART') return [];
	const at = Number(header.readBigUInt64LE(0x48)) * sector;
	const count = Math.min(header.readUInt32LE(0x50), 1024);
	const size = header.readUInt32LE(0x54);
	if (size < 128 || size > 4096 || at + count * size > disk.size) return [];
	const table = await disk.read(at, count * size);
	const found: [number, number][] = [];
	for (let entry = 0; entry < table.length; entry += size) {
		if (table.subarray(entry, entry + 16).every(byte => byte === 0)) continue;
		const first = Number(table.readBigUInt64LE(entry + 0x20));
		found.push([first, Number(table.readBigUInt64LE(entry + 0x28)) - first + 1]);
	}
	return found;
}

/** What else a root may be on, by what is at its beginning. */
const others: readonly {readonly at: number; readonly bytes: string; readonly name: string}[] = [
	{at: 0, bytes: 'XFSB', name: 'XFS'},
	{at: 0x10040, bytes: '_BHRfS_M', name: 'Btrfs'},
	{at: 0x400, bytes: '\x10\x20\xf5\xf2', name: 'F2FS'},
	{at: 0, bytes: 'hsqs', name: 'SquashFS'},
	{at: 0x200, bytes: 'LABELONE', name: 'LVM'},
	{at: 0, bytes: 'LUKS\xba\xbe', name: 'LUKS'},
];

/** The name of something that is known but not read here. */
export async function otherFileSystem(place: Bytes): Promise<string | undefined> {
	const head = await place.read(0, Math.min(place.size, 0x10100));
	return others.find(({at, bytes}) => head.toString('latin1', at, at + bytes.length) === bytes)?.name;
}
