/**
 * Ethernet frames as QEMU sends them over a socket: each behind its length, a number of four bytes, most significant
 * first. Source: QEMU, `net/net.c`, net_fill_rstate.
 */

export const lengthBytes = 4;
const shortestFrame = 14;
/** QEMU's own limit. Source: QEMU, `include/net/net.h`, NET_BUFSIZE. */
export const longestFrame = 4096 + 65_536;

/** Puts frames together out of what arrives in pieces of any size. Keeps no more than one frame. */
export class FrameReader {
	#rest: Buffer | undefined;

	/**
	 * @param onFrame gets each frame with its length before it, in memory that is the caller's
	 * @throws RangeError when what arrives cannot be frames; the reader is of no use from then on
	 */
	read(piece: Buffer, onFrame: (frame: Buffer) => void): void {
		let data = piece;
		if (this.#rest !== undefined) {
			data = Buffer.concat([this.#rest, piece]);
			this.#rest = undefined;
		}
		let at = 0;
		while (data.length - at >= lengthBytes) {
			const length = data.readUInt32BE(at);
			if (length < shortestFrame || length > longestFrame) throw new RangeError(`a frame of ${length} bytes`);
			const end = at + lengthBytes + length;
			if (end > data.length) break;
			onFrame(data.subarray(at, end));
			at = end;
		}
		// A copy: what it is a part of is let go.
		if (at < data.length) this.#rest = Buffer.from(data.subarray(at));
	}
}

/** A frame with its length before it. */
export function framed(frame: Buffer): Buffer {
	const result = Buffer.allocUnsafe(lengthBytes + frame.length);
	result.writeUInt32BE(frame.length, 0);
	frame.copy(result, lengthBytes);
	return result;
}
