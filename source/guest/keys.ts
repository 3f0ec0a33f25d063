import {link, readFile, rm} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {promisify} from 'node:util';
import {DroverError} from '../model/errors.ts';
import {storageError, syncDirectory, writeAtomic} from '../state/atomic.ts';
import {makePrivate, type Paths} from '../state/paths.ts';
import {encodeKeyPair, type KeyPair, publicKeyOf} from './openssh-key.ts';

let asides = 0;

/** Where drover keeps its ssh files: its key, and the configuration that makes `ssh NAME.drover` work. */
export function sshDirectory(paths: Paths): string {
	return path.join(paths.data, 'ssh');
}

/** drover's own private key, the one that every guest is told to let in. */
export function clientKeyFile(paths: Paths): string {
	return path.join(sshDirectory(paths), 'id_ed25519');
}

/** A key for a guest to show: drover makes it, so that the very first connection can be verified. Takes about 1 ms. */
export function generateHostKey(): Promise<KeyPair> {
	return generateKey('drover-guest');
}

/**
 * drover's own key pair, made when it is not there yet. However many ask at once, in however many processes, all get the
 * same. The public half is read out of the private file, so that the two can never disagree.
 * @throws DroverError `host.failed` when the file is there but is no such key: it is never replaced, because the guests
 * there are let nobody else in; `host.disk-full`
 */
export async function clientKey(paths: Paths): Promise<{readonly identityFile: string; readonly public: string}> {
	const identityFile = clientKeyFile(paths);
	const content = (await readKey(identityFile)) ?? (await makeKey(paths, identityFile));
	const publicKey = publicKeyOf(content);
	if (publicKey === undefined) {
		throw new DroverError('host.failed', `${identityFile} is not the ed25519 key that drover wrote there.`, {
			next: 'Put the right file back, or remove it: drover then makes a new one, for new instances.',
		});
	}
	return {identityFile, public: publicKey};
}

async function makeKey(paths: Paths, identityFile: string): Promise<string> {
	makePrivate(sshDirectory(paths));
	const key = await generateKey('drover');
	const aside = `${identityFile}.${process.pid}-${asides++}.tmp`;
	try {
		await writeAtomic(aside, key.private);
		// A link does not replace: of several who make a key at once, one wins and the others read what it wrote.
		await link(aside, identityFile);
		await syncDirectory(path.dirname(identityFile));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw storageError(error, identityFile);
	} finally {
		await rm(aside, {force: true});
	}
	return (await readKey(identityFile)) ?? '';
}

async function readKey(file: string): Promise<string | undefined> {
	try {
		return await readFile(file, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw new DroverError('host.failed', `${file} cannot be read.`, {
			next: 'Check its owner and permissions.',
			cause: error,
		});
	}
}

async function generateKey(comment: string): Promise<KeyPair> {
	const {generateKeyPair, randomInt} = await import('node:crypto');
	const {privateKey} = await promisify(generateKeyPair)('ed25519');
	const {d, x} = privateKey.export({format: 'jwk'});
	return encodeKeyPair(Buffer.from(d!, 'base64url'), Buffer.from(x!, 'base64url'), randomInt(2 ** 32), comment);
}
