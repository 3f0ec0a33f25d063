/**
 * libvirt's save file, which is drover's as well: a header of 92 bytes, the domain's XML padded with NUL, and the stream
 * that QEMU writes. Source: libvirt, `src/qemu/qemu_saveimage.h`, version 2.
 */
const headerBytes = 92;
const completeMagic = 'LibvirtQemudSave';
const partialMagic = 'LibvirtQemudPart';
const formatVersion = 2;

/** What begins every stream of QEMU's. An empty or foreign one would leave QEMU waiting for ever. */
const streamMagic = 'QEVM';

/** Where the stream begins in the files that drover writes: fixed, so that the header can be written last. */
export const streamOffset = 65_536;

export type SaveHeader = {
	/** Whether the file was finished by its writer. */
	readonly complete: boolean;
	readonly xml: string;
	/** Where QEMU's stream begins, in bytes. */
	readonly offset: number;
};

/**
 * Header and XML, padded to {@link streamOffset} bytes.
 * @param complete `false` while the stream is not all there: libvirt refuses such a file, and so does drover
 * @throws RangeError when the XML is too long
 */
export function saveHeader(xml: string, complete: boolean): Buffer {
	const text = Buffer.from(xml);
	if (text.includes(0) || headerBytes + text.length + 1 > streamOffset) throw new RangeError('XML does not fit');
	const header = Buffer.alloc(streamOffset);
	header.write(complete ? completeMagic : partialMagic, 'latin1');
	header.writeUInt32LE(formatVersion, 16);
	header.writeUInt32LE(streamOffset - headerBytes, 20);
	// was_running: libvirt sets the guest going after it has loaded the file, as drover does.
	header.writeUInt32LE(1, 24);
	text.copy(header, headerBytes);
	return header;
}

/**
 * Reads the beginning of a save file, drover's own or libvirt's.
 * @param bytes as much of the file's beginning as there is, the 4 bytes after the XML included
 * @returns a sentence when it is not one
 */
export function parseSaveHeader(bytes: Buffer): SaveHeader | string {
	if (bytes.length < headerBytes) return 'it is too short';
	const magic = bytes.toString('latin1', 0, 16);
	if (magic !== completeMagic && magic !== partialMagic) return 'it is not a saved memory image';
	const version = bytes.readUInt32LE(16);
	if (version !== formatVersion) return `it has format ${version}, this version of drover knows ${formatVersion}`;
	const compressed = bytes.readUInt32LE(28);
	if (compressed !== 0) return 'it is compressed, which this version of drover does not know';
	const offset = headerBytes + bytes.readUInt32LE(20);
	if (offset > maximumOffset) return 'its header is damaged';
	if (bytes.length < offset + 4) return 'it is too short';
	if (bytes.toString('latin1', offset, offset + 4) !== streamMagic) return 'the memory in it is damaged';
	const end = bytes.indexOf(0, headerBytes);
	const xml = bytes.toString('utf8', headerBytes, end === -1 || end > offset ? offset : end);
	return {complete: magic === completeMagic, xml, offset};
}

/**
 * What is to be written over the XML of a file of libvirt's own. The cookie that libvirt keeps behind its XML goes with
 * it: it speaks of processor features that the document replaced here does not ask for.
 * @param offset where the stream begins in that file
 * @returns `undefined` when there is no room for it
 */
export function replaceXml(
	xml: string,
	offset: number,
): {readonly bytes: Buffer; readonly position: number} | undefined {
	const text = Buffer.from(xml);
	const position = cookieField;
	if (text.includes(0) || headerBytes + text.length + 1 > offset) return undefined;
	const bytes = Buffer.alloc(offset - position);
	text.copy(bytes, headerBytes - position);
	return {bytes, position};
}

/** Where the header says where its cookie is; behind it are zeros only, up to the XML. */
const cookieField = 32;

/** No XML of a domain is as long as this; what claims to be is damaged. */
export const maximumOffset = 4 * 2 ** 20;

/** So many bytes of a stream's end hold the description it closes with. */
export const tailLength = 256 * 1024;

/**
 * Whether a stream has its end: QEMU closes it with a description of itself, `06`, its length and JSON. What feeds the
 * file runs beside QEMU and may still be writing, or have failed, when QEMU says that it is done.
 * @param tail the last bytes of the file: {@link tailLength} are enough
 */
export function hasStreamEnd(tail: Buffer): boolean {
	if (tail.at(-1) !== 0x7d) return false;
	for (let at = tail.length - 7; at >= 0; at--) {
		if (tail[at] === 6 && tail[at + 5] === 0x7b && tail.readUInt32BE(at + 1) === tail.length - at - 5) return true;
	}
	return false;
}
