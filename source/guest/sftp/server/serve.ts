import type {Readable, Writable} from 'node:stream';
import {Malformed, Reader, statuses, types, Unpacker, Writer} from '../packets.ts';
import {type Owners, statusAnswer} from './answers.ts';
import type {Fence} from './fence.ts';
import {Handles} from './handles.ts';
import {answerers, codeOf, extensions, type Scope} from './requests.ts';

export type SftpService = {
	/** Resolves when the guest has closed its side, to why, or rejects with {@link Malformed} when it spoke something else. */
	readonly ended: Promise<void>;
	/** Lets go of all that is open. */
	close(): void;
};

/**
 * Serves a directory over a connection: SFTP, version 3. Requests are answered in the order they come; when the guest
 * does not take its answers, no more of its requests are read.
 */
export function serveSftp(options: {fence: Fence; owners: Owners; input: Readable; output: Writable}): SftpService {
	const {input, output} = options;
	const scope: Scope = {fence: options.fence, owners: options.owners, handles: new Handles()};
	const unpacker = new Unpacker();
	const {promise: ended, resolve, reject} = Promise.withResolvers<void>();
	let isOver = false;
	const end = (problem?: unknown) => {
		if (isOver) return;
		isOver = true;
		input.pause();
		scope.handles.closeAll();
		if (problem === undefined) resolve();
		else reject(problem);
	};
	const pump = () => {
		while (!isOver) {
			if (output.writableNeedDrain) {
				input.pause();
				return;
			}
			const message = unpacker.next();
			if (message === undefined) break;
			output.write(answer(scope, message));
		}
		if (!isOver) input.resume();
	};
	const guarded = (act: () => void) => {
		try {
			act();
		} catch (error) {
			end(error);
		}
	};
	input.on('data', (chunk: Buffer) =>
		guarded(() => {
			unpacker.push(chunk);
			pump();
		}),
	);
	output.on('drain', () => guarded(pump));
	input.on('end', () => end());
	input.on('close', () => end());
	input.on('error', () => end());
	output.on('error', () => end());
	return {ended, close: () => end()};
}

/** @throws Malformed */
function answer(scope: Scope, message: Buffer): Buffer {
	const reader = new Reader(message);
	const type = reader.byte();
	if (type === types.init) return greeting();
	const id = reader.number();
	const answerer = Object.hasOwn(answerers, type) ? answerers[type] : undefined;
	if (answerer === undefined) return statusAnswer(id, statuses.unsupported);
	try {
		return answerer(scope, id, reader);
	} catch (error) {
		if (error instanceof Malformed) throw error;
		return statusAnswer(id, statusOf(codeOf(error)), codeOf(error) ?? 'failure');
	}
}

function greeting(): Buffer {
	const writer = new Writer(types.version).number(3);
	for (const [name, {version}] of Object.entries(extensions)) writer.bytes(name).bytes(version);
	return writer.end();
}

/** The protocol knows few reasons. The same for the same errors as OpenSSH's server. */
export function statusOf(code: string | undefined): number {
	switch (code) {
		case 'ENOENT':
		case 'ENOTDIR':
		case 'ELOOP':
		case 'EBADF':
			return statuses.missing;
		case 'EACCES':
		case 'EPERM':
		case 'EROFS':
			return statuses.denied;
		case 'EOPNOTSUPP':
		case 'ENOSYS':
			return statuses.unsupported;
		default:
			return statuses.failure;
	}
}
