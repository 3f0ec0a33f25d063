import {open} from 'node:fs/promises';
import path from 'node:path';
import {causeWords} from '../model/cause-words.ts';
import {causeText, DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext} from './command.ts';
import {usageError} from './parse.ts';

/** Bytes. As much as the daemon takes, and far more than any configuration needs; a disk image given by mistake is not read whole. */
const limit = 2 ** 20;

/**
 * Reads a cloud-config from a file, an address or stdin (`-`) and checks that it is YAML with something in it.
 * @throws DroverError `usage.invalid` with the line of the fault
 */
export async function readCloudInit(source: string, context: Pick<CommandContext, 'cwd' | 'stdin'>): Promise<string> {
	const text = await read(source, context);
	await checkCloudInit(text);
	return text;
}

async function read(source: string, context: Pick<CommandContext, 'cwd' | 'stdin'>): Promise<string> {
	if (source === '-') return context.stdin.read(limit);
	try {
		return await (/^https?:\/\//i.test(source) ? download(source) : readFile(path.resolve(context.cwd, source)));
	} catch (error) {
		if (error instanceof DroverError) throw error;
		throw usageError(`Could not load cloud-init configuration: ${causeWords(error)}.`);
	}
}

async function readFile(file: string): Promise<string> {
	const handle = await open(file, 'r');
	try {
		// Not `size`: what is not a plain file (`<(…)` of a shell) has none.
		const buffer = Buffer.alloc(limit + 1);
		let length = 0;
		while (length <= limit) {
			const {bytesRead} = await handle.read(buffer, length, buffer.length - length);
			if (bytesRead === 0) break;
			length += bytesRead;
		}
		if (length > limit) throw tooLong();
		return buffer.toString('utf8', 0, length);
	} finally {
		await handle.close();
	}
}

async function download(address: string): Promise<string> {
	const response = await fetch(address, {signal: AbortSignal.timeout(30_000)});
	if (!response.ok) throw new Error(`${address} answered ${response.status} ${response.statusText}`);
	let text = '';
	let length = 0;
	const decoder = new TextDecoder();
	for await (const chunk of response.body ?? []) {
		length += chunk.byteLength;
		if (length > limit) throw tooLong();
		text += decoder.decode(chunk, {stream: true});
	}
	return text + decoder.decode();
}

function tooLong(): DroverError {
	return usageError(`Could not load cloud-init configuration: it is longer than ${limit / 2 ** 20} MiB.`);
}

/** @throws DroverError `usage.invalid` */
export async function checkCloudInit(text: string): Promise<void> {
	if (text.trim() === '') throw usageError('Could not load cloud-init configuration: it is empty.');
	const {LineCounter, parseDocument} = await import('yaml');
	const lineCounter = new LineCounter();
	const document = parseDocument(text, {lineCounter, prettyErrors: false});
	const [fault] = document.errors;
	if (fault !== undefined) {
		const {line} = lineCounter.linePos(fault.pos[0]);
		throw usageError(`Could not load cloud-init configuration: line ${line}: ${plainLine(fault.message)}`);
	}
	const data = toData(() => document.toJS({maxAliasCount: 100}));
	if (data === null) throw usageError('Could not load cloud-init configuration: there is nothing in it.');
	if (typeof data !== 'object' || Array.isArray(data)) {
		throw usageError(
			'Could not load cloud-init configuration: it must be a map of keys and values.',
			'It begins with "#cloud-config" and has lines like "packages: [curl]".',
		);
	}
}

/** @throws DroverError `usage.invalid` when aliases are unknown, or would unfold without end */
function toData(unfold: () => unknown): unknown {
	try {
		return unfold();
	} catch (error) {
		throw usageError(`Could not load cloud-init configuration: ${causeText(error)}`);
	}
}
