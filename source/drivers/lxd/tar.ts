/** A file for a small archive. */
export type TarFile = {readonly path: string; readonly data: Buffer};

const block = 512;

/** A ustar archive of a few small files that belong to root. Source: POSIX.1-2017, pax, "ustar Interchange Format". */
export function tarArchive(files: readonly TarFile[]): Buffer {
	const parts = files.flatMap(({path, data}) => [
		header(path, data.length),
		data,
		Buffer.alloc((block - (data.length % block)) % block),
	]);
	return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header(path: string, size: number): Buffer {
	const head = Buffer.alloc(block);
	const octal = (value: number, at: number, length: number) =>
		head.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
	head.write(path, 0, 100, 'utf8');
	octal(0o644, 100, 8);
	octal(0, 108, 8);
	octal(0, 116, 8);
	octal(size, 124, 12);
	octal(0, 136, 12);
	head.write('        0', 148, 'latin1');
	head.write('ustar\0' + '00', 257, 'latin1');
	head.write('root', 265, 'latin1');
	head.write('root', 297, 'latin1');
	const sum = head.reduce((total, byte) => total + byte, 0);
	head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return head;
}
