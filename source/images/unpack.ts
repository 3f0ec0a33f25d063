import {spawn} from 'node:child_process';
import {createReadStream} from 'node:fs';
import {open} from 'node:fs/promises';
import type {Readable, Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {DroverError} from '../model/errors.ts';
import {gibibyte, humanSize, mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {Hashes} from './digest.ts';
import {writeSparse} from './file-source.ts';
import {headProblem, notDisk, unusable} from './format.ts';
import type {ImageForm, ImageWork} from './image.ts';
import {mayBeArchive} from './rootfs/inspect.ts';
import {lastLine, searchPath, throwIfCancelled} from './run.ts';

export type Compression = 'xz' | 'gzip' | 'zstd' | 'bzip2';

/** A disk larger than this is not unpacked: bytes. */
const largest = 512 * gibibyte;

/** Beginnings of compressed files. */
const magics: ReadonlyArray<readonly [bytes: string, compression: Compression]> = [
	['\xfd7zXZ\0', 'xz'],
	['\x1f\x8b', 'gzip'],
	['\x28\xb5\x2f\xfd', 'zstd'],
	['BZh', 'bzip2'],
];

/** How a file that begins like this is compressed; `undefined` when it is not. */
export function compressionOf(head: Buffer): Compression | undefined {
	return magics.find(([bytes]) => head.toString('latin1', 0, bytes.length) === bytes)?.[1];
}

/** @throws DroverError `image.unusable` when a file that begins like this is of no use, packed or not */
export function refuseHead(head: Buffer, url: URL, form: ImageForm): void {
	const name = plainLine(url.href);
	if (mayBeArchive(head)) {
		if (form === 'rootfs') return;
		if (/\.(?:tar(?:\.\w+)?|t[gx]z)$/i.test(url.pathname)) throw notDisk(name);
	}
	if (compressionOf(head) !== undefined) return;
	const problem = headProblem(head);
	if (problem === undefined) return;
	throw unusable(
		name,
		`cannot be used: it is ${problem.is}`,
		problem.remedy && `Download it, unpack or convert it (${problem.remedy}), and launch from file:///….`,
	);
}

export async function compressionOfFile(file: string): Promise<Compression | undefined> {
	const handle = await open(file, 'r');
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(16), 0, 16, 0);
		return compressionOf(buffer.subarray(0, bytesRead));
	} finally {
		await handle.close();
	}
}

/**
 * Unpacks a file; parts that are all zero become holes. What was packed must have been verified before: unpackers are
 * no place for bytes of unknown origin.
 * @returns the SHA-256 of what is in it
 * @throws DroverError `image.unusable` (damaged, too large, no program for it), `operation.cancelled`
 */
export async function unpack(
	packed: string,
	to: string,
	{name, compression, work}: {name: string; compression: Compression; work: ImageWork},
): Promise<string> {
	const target = await open(to, 'wx', 0o600);
	try {
		const {size} = await open(packed, 'r').then(handle => handle.stat().finally(() => handle.close()));
		const source = createReadStream(packed, {highWaterMark: mebibyte});
		const hashes = new Hashes();
		let at = 0;
		const unpacker = await openUnpacker(compression, work.signal);
		const sink = async (stream: AsyncIterable<Buffer>) => {
			for await (const chunk of inBlocks(stream)) {
				throwIfCancelled(work.signal);
				if (at + chunk.length > largest) {
					throw unusable(name, `cannot be used: unpacked it is larger than ${humanSize(largest)}`);
				}
				hashes.update(chunk);
				await writeSparse(target, chunk, at);
				at += chunk.length;
				work.progress('unpacking the image', (100 * source.bytesRead) / size);
			}
		};
		try {
			if ('transform' in unpacker) await pipeline(source, unpacker.transform, sink);
			else {
				await Promise.all([pipeline(source, unpacker.input), pipeline(unpacker.output, sink)]);
				await unpacker.ended;
			}
		} catch (error) {
			source.destroy();
			// Its end comes by itself, with its pipes gone; what it says then is the reason.
			if ('ended' in unpacker) await unpacker.ended.catch(() => undefined);
			throwIfCancelled(work.signal);
			throw unpackError(error, name, unpacker);
		}
		await target.truncate(at);
		await target.sync();
		return hashes.finish().sha256;
	} finally {
		await target.close();
	}
}

type Program = {
	readonly input: NodeJS.WritableStream;
	readonly output: Readable;
	/** Rejects when it ended with a failure. */
	readonly ended: Promise<void>;
	complaint(): string;
};
type Unpacker = {readonly transform: Transform} | Program;

async function openUnpacker(compression: Compression, signal: AbortSignal): Promise<Unpacker> {
	const zlib = await import('node:zlib');
	if (compression === 'gzip') return {transform: zlib.createGunzip({chunkSize: mebibyte})};
	// Node has it since 22.15.
	if (compression === 'zstd' && 'createZstdDecompress' in zlib) {
		return {transform: zlib.createZstdDecompress({chunkSize: mebibyte})};
	}
	return openProgram(compression, signal);
}

const packages: Readonly<Record<Compression, string>> = {xz: 'xz-utils', gzip: 'gzip', zstd: 'zstd', bzip2: 'bzip2'};

/** The program that unpacks on its standard input and output, as all of them do. */
async function openProgram(program: Compression, signal: AbortSignal): Promise<Program> {
	const child = spawn(program, ['-d', '-c'], {
		stdio: ['pipe', 'pipe', 'pipe'],
		env: {PATH: searchPath(), LC_ALL: 'C'},
		signal,
		killSignal: 'SIGKILL',
	});
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderr = (stderr + text).slice(-4000);
	});
	const ended = new Promise<void>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', code => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`))));
	});
	ended.catch(() => undefined);
	await new Promise<void>((resolve, reject) => {
		child.once('spawn', resolve);
		child.once('error', error => reject(missing(program, error)));
	});
	return {input: child.stdin, output: child.stdout, ended, complaint: () => lastLine(stderr)};
}

function missing(program: Compression, cause: Error): DroverError {
	if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
		return new DroverError('host.failed', `The program ${program} could not be started.`, {cause});
	}
	return new DroverError('image.unusable', `The image is packed with ${program}, which this machine does not have.`, {
		next: `Install it: sudo apt-get install ${packages[program]}`,
		cause,
	});
}

function unpackError(error: unknown, name: string, unpacker: Unpacker): unknown {
	if (error instanceof DroverError) return error;
	const {code} = error as NodeJS.ErrnoException;
	// What the disk says; zlib's codes begin with Z, a pipe's end means that the program has ended first.
	if (code !== undefined && /^E(?!PIPE|CONNRESET|RR_)/.test(code)) return error;
	const complaint = 'complaint' in unpacker ? unpacker.complaint() : '';
	return new DroverError('image.unusable', `${plainLine(name)} is damaged: it cannot be unpacked.`, {
		next: 'Use another copy of it.',
		cause: complaint || error,
	});
}

/** Pieces of whole blocks, so that holes are found wherever the unpacker cuts its output. */
async function* inBlocks(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let rest: Buffer[] = [];
	let size = 0;
	for await (const chunk of stream) {
		rest.push(chunk);
		size += chunk.length;
		if (size < mebibyte) continue;
		const all = Buffer.concat(rest);
		const whole = all.length - (all.length % mebibyte);
		yield all.subarray(0, whole);
		rest = [all.subarray(whole)];
		size = all.length - whole;
	}
	if (size > 0) yield Buffer.concat(rest);
}
