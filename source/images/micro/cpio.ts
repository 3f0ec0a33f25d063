/** A file, directory, symbolic link or character device of an archive for the kernel's initramfs. */
export type ArchiveEntry =
	| {readonly path: string; readonly kind: 'file'; readonly mode: number; readonly data: Buffer}
	| {readonly path: string; readonly kind: 'directory'; readonly mode: number}
	| {readonly path: string; readonly kind: 'link'; readonly target: string}
	| {
			readonly path: string;
			readonly kind: 'device';
			readonly mode: number;
			readonly major: number;
			readonly minor: number;
	  };

const typeBits = {file: 0o100000, directory: 0o040000, link: 0o120000, device: 0o020000} as const;

/**
 * A cpio archive in the "newc" form, everything owned by root. Directories must come before what is in them.
 * Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function cpioArchive(entries: readonly ArchiveEntry[]): Buffer {
	const parts = entries.map((entry, index) => record(entry, index + 1));
	parts.push(record({path: 'TRAILER!!!', kind: 'file', mode: 0, data: Buffer.alloc(0)}, 0));
	return Buffer.concat(parts);
}

function record(entry: ArchiveEntry, inode: number): Buffer {
	const data = entry.kind === 'file' ? entry.data : entry.kind === 'link' ? Buffer.from(entry.target) : Buffer.alloc(0);
	const name = Buffer.from(`${entry.path}\0`);
	const mode = inode === 0 ? 0 : typeBits[entry.kind] | (entry.kind === 'link' ? 0o777 : entry.mode);
	const [major, minor] = entry.kind === 'device' ? [entry.major, entry.minor] : [0, 0];
	const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
	const header = Buffer.from(`070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`);
	return Buffer.concat([padded(Buffer.concat([header, name])), padded(data)]);
}

function padded(data: Buffer): Buffer {
	return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
