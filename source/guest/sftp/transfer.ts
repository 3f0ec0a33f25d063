import type {SftpClient} from './client.ts';

/** Bytes under way at once, so that the way there and back is not waited for each time. */
const windowBytes = 4 * 2 ** 20;

/** Requests under way at once. */
function windowOf(chunkBytes: number): number {
	return Math.min(64, Math.ceil(windowBytes / chunkBytes));
}

/** Writes a stream into a file that is open in the guest. */
export async function send(
	client: SftpClient,
	handle: Buffer,
	content: AsyncIterable<Buffer | string>,
	onBytes: (count: number) => void,
): Promise<void> {
	const chunkBytes = client.limits.write;
	const window = windowOf(chunkBytes);
	const underWay = new Set<Promise<void>>();
	let failure: {readonly error: unknown} | undefined;
	let offset = 0;
	for await (const piece of content) {
		const buffer = typeof piece === 'string' ? Buffer.from(piece) : piece;
		for (let at = 0; at < buffer.length; at += chunkBytes) {
			const chunk = buffer.subarray(at, at + chunkBytes);
			const writing: Promise<void> = client.write(handle, offset, chunk).then(
				() => {
					underWay.delete(writing);
					onBytes(chunk.length);
				},
				error => {
					underWay.delete(writing);
					failure ??= {error};
				},
			);
			underWay.add(writing);
			offset += chunk.length;
			if (underWay.size >= window) await Promise.race(underWay);
			await client.drained();
			if (failure) throw failure.error;
		}
	}
	await Promise.all(underWay);
	if (failure) throw failure.error;
}

/**
 * Reads a file that is open in the guest from its beginning to its end.
 * @param size as the guest tells it; 0 for files that have none, such as those in `/proc`
 */
export async function* receive(client: SftpClient, handle: Buffer, size: number): AsyncGenerator<Buffer> {
	const chunkBytes = client.limits.read;
	const most = size === 0 ? 2 : Math.min(windowOf(chunkBytes), Math.ceil(size / chunkBytes) + 1);
	const underWay: Array<{offset: number; answer: Promise<Buffer | undefined>}> = [];
	let next = 0;
	const ask = () => {
		const answer = client.read(handle, next, chunkBytes);
		// It is looked at in its turn, if at all: what comes after the end is not.
		answer.catch(() => {});
		underWay.push({offset: next, answer});
		next += chunkBytes;
	};
	for (;;) {
		while (underWay.length < most) ask();
		const {offset, answer} = underWay.shift()!;
		let content = await answer;
		if (content === undefined) return;
		yield content;
		// A server may give less than it was asked for: the rest of the chunk comes before the next.
		for (let got = content.length; got < chunkBytes; got += content.length) {
			content = await client.read(handle, offset + got, chunkBytes - got);
			if (content === undefined) return;
			yield content;
		}
	}
}
