import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {Readable} from 'node:stream';
import {gzipSync} from 'node:zlib';
import {DroverError} from '../../model/errors.ts';
import type {CreateInput, WorkContext} from '../driver.ts';
import {asObject} from '../machine/json.ts';
import type {LxdClient} from './client.ts';
import {LxdError} from './errors.ts';
import {perform, waitFor} from './operation.ts';
import {tarArchive} from './tar.ts';

/** An image is found again by this name: the hash of what is in drover's cache. */
export function aliasOf(hash: string): string {
	return `drover-${hash.replace(/^sha256:/, '').slice(0, 40)}`;
}

/** Uploads under way, by server, project and image: launches at the same time share one. */
const uploads = new Map<string, Promise<void>>();

/**
 * Makes sure that the server has an image; uploads it once.
 * @returns its alias in the project
 * @throws LxdError, DroverError
 */
export async function ensureImage(
	client: LxdClient,
	project: string,
	input: CreateInput,
	architecture: string,
	work: WorkContext,
): Promise<string> {
	const alias = aliasOf(input.imageHash);
	const path = `/1.0/images/aliases/${alias}`;
	if ((await client.find(path, {project})) !== undefined) return alias;
	const key = JSON.stringify([client.endpoint, project, alias]);
	let upload = uploads.get(key);
	if (upload === undefined) {
		// Not the signal of this launch: another may wait for the same upload.
		upload = put(client, project, input, architecture, alias, work).finally(() => uploads.delete(key));
		uploads.set(key, upload);
	} else work.progress('waiting for the image to be uploaded');
	await upload;
	return alias;
}

/** Removes an image that was for one instance only. Never throws: it only takes room. */
export async function forgetImage(client: LxdClient, project: string, hash: string): Promise<void> {
	try {
		const alias = asObject(await client.find(`/1.0/images/aliases/${aliasOf(hash)}`, {project}));
		const {target} = alias;
		if (typeof target !== 'string' || !/^[\da-f]{12,64}$/.test(target)) return;
		await perform(client, 'DELETE', `/1.0/images/${target}`, {query: {project}});
	} catch {
		// The server may be using it still.
	}
}

async function put(
	client: LxdClient,
	project: string,
	input: CreateInput,
	architecture: string,
	alias: string,
	work: WorkContext,
): Promise<void> {
	work.progress('uploading the image', 0);
	const {stream, headers} = await contentOf(input, architecture, percent =>
		work.progress('uploading the image', percent),
	);
	let fingerprint: string | undefined;
	try {
		const answer = await client.ask('POST', '/1.0/images', {
			query: {project},
			stream,
			headers: {...headers, ...fileNameHeaders(alias)},
			// As long as the line needs.
			timeoutMs: 6 * 60 * 60_000,
		});
		if (answer.operation === undefined) throw new LxdError('malformed', 'an upload without an operation');
		work.progress('importing the image');
		const done = await waitFor(client, answer.operation, {patienceMs: 60 * 60_000});
		fingerprint = typeof done['fingerprint'] === 'string' ? done['fingerprint'] : undefined;
	} catch (error) {
		fingerprint = await knownFingerprint(client, project, input);
		if (fingerprint === undefined) throw uploadError(error);
	}
	if (fingerprint === undefined) throw new LxdError('malformed', 'the server does not name the image it was given');
	await client
		.ask('POST', '/1.0/images/aliases', {
			query: {project},
			body: {name: alias, target: fingerprint, description: 'drover'},
		})
		.catch(async (error: unknown) => {
			// Another drover was quicker.
			if ((await client.find(`/1.0/images/aliases/${alias}`, {project})) === undefined) throw error;
		});
}

/** Uploaded before, by somebody else or by a drover that was killed before it gave it a name. */
async function knownFingerprint(client: LxdClient, project: string, input: CreateInput): Promise<string | undefined> {
	if (input.imageFormat !== 'rootfs') return undefined;
	// Of an archive in one file the server's fingerprint is the hash of the file.
	const fingerprint = input.imageHash.replace(/^sha256:/, '');
	return (await client.find(`/1.0/images/${fingerprint}`, {project}).catch(() => undefined)) === undefined
		? undefined
		: fingerprint;
}

function uploadError(error: unknown): unknown {
	if (!(error instanceof LxdError) || error.problem !== 'refused' || /no space/i.test(error.message)) return error;
	return new DroverError('image.unusable', `The server does not take the image: ${error.message.replace(/\.$/, '')}.`, {
		next: 'Choose another image.',
	});
}

function fileNameHeaders(alias: string): Record<string, string> {
	return {'x-lxd-filename': `${alias}.tar`, 'x-incus-filename': `${alias}.tar`};
}

type Content = {readonly stream: Readable; readonly headers: Record<string, string>};

/** What is sent: an archive as it is, or a disk behind a description, as two parts of a form. */
async function contentOf(
	input: CreateInput,
	architecture: string,
	onPercent: (percent: number) => void,
): Promise<Content> {
	const {size} = await stat(input.imagePath);
	const file = counted(createReadStream(input.imagePath, {highWaterMark: 2 ** 20}), size, onPercent);
	if (input.imageFormat === 'rootfs') {
		return {
			stream: Readable.from(file),
			headers: {'content-type': 'application/octet-stream', 'content-length': String(size)},
		};
	}
	if (input.imageFormat !== 'qcow2') {
		throw new DroverError('image.unusable', 'LXD takes disk images in the qcow2 format only.', {
			next: 'Convert it: qemu-img convert -O qcow2 IMAGE NEW.qcow2',
		});
	}
	const metadata = gzipSync(
		tarArchive([
			{
				path: 'metadata.yaml',
				data: Buffer.from(
					`architecture: ${architecture}\ncreation_date: 0\nproperties:\n  description: drover ${input.imageHash.slice(0, 19)}\n`,
				),
			},
		]),
	);
	const boundary = createHash('sha256').update(input.imageHash).digest('hex').slice(0, 40);
	const part = (name: string) =>
		`--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
	const head = Buffer.concat([Buffer.from(part('metadata')), metadata, Buffer.from(`\r\n${part('rootfs.img')}`)]);
	const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
	return {
		stream: Readable.from(
			(async function* () {
				yield head;
				yield* file;
				yield tail;
			})(),
		),
		headers: {
			'content-type': `multipart/form-data; boundary=${boundary}`,
			'content-length': String(head.length + size + tail.length),
		},
	};
}

async function* counted(stream: Readable, size: number, onPercent: (percent: number) => void): AsyncGenerator<Buffer> {
	let sent = 0;
	for await (const part of stream as AsyncIterable<Buffer>) {
		yield part;
		sent += part.length;
		onPercent(size === 0 ? 100 : (sent / size) * 100);
	}
}

/** The type of a server's image, for messages. */
export function imageType(metadata: unknown): string {
	const {type} = asObject(metadata);
	return typeof type === 'string' ? type : 'container';
}
