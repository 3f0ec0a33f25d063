/** A file of an archive. Names and targets are bytes, one character each (latin1): a file system need not hold UTF-8. */
export type TarEntry = {
	/** Without a slash at its beginning. */
	readonly path: string;
	/** Permissions with set-user-id and the like, without the kind of file. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	/** Seconds since 1970. */
	readonly modified: number;
	/** Extended attributes by their full names: `security.capability`. */
	readonly attributes?: ReadonlyMap<string, Buffer>;
} & (
	| {readonly kind: 'directory' | 'pipe'}
	| {readonly kind: 'file'; readonly size: number; readonly content: Buffer | AsyncIterable<Buffer>}
	/** `hardlink`: the target is the path of an entry before this one. */
	| {readonly kind: 'symlink' | 'hardlink'; readonly target: string}
	| {readonly kind: 'character' | 'block'; readonly major: number; readonly minor: number}
);

const block = 512;
const types: Readonly<Record<TarEntry['kind'], string>> = {
	file: '0',
	hardlink: '1',
	symlink: '2',
	character: '3',
	block: '4',
	directory: '5',
	pipe: '6',
};

/**
 * A tar archive, piece by piece. What the fields of 1988 cannot hold (long names, great numbers, attributes) is in pax
 * records, as GNU tar and LXD read them. Source: POSIX.1-2017, pax; the records of attributes are those of star.
 * @throws RangeError when a file has more or fewer bytes than it said
 */
export async function* tarArchive(entries: Iterable<TarEntry> | AsyncIterable<TarEntry>): AsyncGenerator<Buffer> {
	for await (const entry of entries) {
		yield tarHeader(entry);
		if (entry.kind !== 'file') continue;
		let written = 0;
		for await (const piece of Buffer.isBuffer(entry.content) ? [entry.content] : entry.content) {
			written += piece.length;
			yield piece;
		}
		if (written !== entry.size) throw new RangeError(`${entry.path}: ${written} of ${entry.size} bytes`);
		if (written % block !== 0) yield Buffer.alloc(block - (written % block));
	}
	yield Buffer.alloc(2 * block);
}

/** The blocks before a file's content. */
export function tarHeader(entry: TarEntry): Buffer {
	const name = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
	const target = 'target' in entry ? entry.target : '';
	const size = entry.kind === 'file' ? entry.size : 0;
	const records: [string, Buffer][] = [];
	const text = (key: string, value: string) => records.push([key, Buffer.from(value, 'latin1')]);
	if (name.length > 100) text('path', name);
	if (target.length > 100) text('linkpath', target);
	for (const [key, value, limit] of [
		['size', size, 8 ** 11],
		['uid', entry.uid, 8 ** 7],
		['gid', entry.gid, 8 ** 7],
	] as const) {
		if (value >= limit) text(key, String(value));
	}
	for (const [key, value] of entry.attributes ?? []) records.push([`SCHILY.xattr.${key}`, value]);
	const own = headerBlock({
		name,
		mode: entry.mode,
		uid: entry.uid,
		gid: entry.gid,
		size,
		modified: entry.modified,
		type: types[entry.kind],
		target,
		major: 'major' in entry ? entry.major : 0,
		minor: 'minor' in entry ? entry.minor : 0,
	});
	if (records.length === 0) return own;
	const data = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
	const extended = headerBlock({name: 'pax', mode: 0o644, size: data.length, type: 'x'});
	return Buffer.concat([extended, data, Buffer.alloc((block - (data.length % block)) % block), own]);
}

type Fields = {
	readonly name: string;
	readonly mode: number;
	readonly uid?: number;
	readonly gid?: number;
	readonly size: number;
	readonly modified?: number;
	readonly type: string;
	readonly target?: string;
	readonly major?: number;
	readonly minor?: number;
};

function headerBlock(fields: Fields): Buffer {
	const header = Buffer.alloc(block);
	const octal = (value: number, at: number, digits: number) => {
		// What does not fit stands in a pax record, which goes before it.
		const fitting = value >= 0 && value < 8 ** digits ? Math.floor(value) : 0;
		header.write(fitting.toString(8).padStart(digits, '0'), at, digits, 'latin1');
	};
	header.write(fields.name, 0, 100, 'latin1');
	octal(fields.mode & 0o7777, 100, 7);
	octal(fields.uid ?? 0, 108, 7);
	octal(fields.gid ?? 0, 116, 7);
	octal(fields.size, 124, 11);
	octal(fields.modified ?? 0, 136, 11);
	header.write(fields.type, 156, 1, 'latin1');
	header.write(fields.target ?? '', 157, 100, 'latin1');
	header.write('ustar\0' + '00', 257, 8, 'latin1');
	octal(fields.major ?? 0, 329, 7);
	octal(fields.minor ?? 0, 337, 7);
	// The sum is taken with blanks in its own place.
	header.fill(0x20, 148, 156);
	const sum = header.reduce((total, byte) => total + byte, 0);
	header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
	return header;
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
	const rest = key.length + value.length + 3;
	let length = rest + String(rest).length;
	if (String(length).length !== String(rest).length) length = rest + String(length).length;
	return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), value, Buffer.from('\n')]);
}
