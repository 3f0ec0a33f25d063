import {access, constants, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {lastLine, searchPath, tryRun} from './run.ts';

/** How a document is signed, and by whose keys that is to be checked. */
export type Signing = {
	/** `clear`: the document holds its signature; `detached`: the signature is another file. */
	readonly kind: 'clear' | 'detached';
	/** Where the other file is. */
	readonly url?: string;
	/** Files with keys, as distributions install them; the first that is there is used. */
	readonly keyrings: readonly string[];
	/** Where the keys come from, for a person: `the package ubuntu-keyring`. */
	readonly keysFrom: string;
};

/** What is known of a document's signature. One that is wrong is no verdict: it is refused. */
export type Verdict =
	| {readonly kind: 'verified' /** The key, as hexadecimal digits. */; readonly key: string}
	/** Its publisher does not sign it, as far as is known. */
	| {readonly kind: 'unsigned'}
	/** It could not be checked here. */
	| {readonly kind: 'unchecked'; readonly reason: string};

/** The first of the keyrings that is there, if the program is there too; or why there is nothing to check with. */
export async function verifierFor(signing: Signing): Promise<{readonly keyring: string} | {readonly reason: string}> {
	const programs = searchPath()
		.split(path.delimiter)
		.map(directory => access(path.join(directory, 'gpgv'), constants.X_OK));
	const hasProgram = await Promise.any(programs).then(
		() => true,
		() => false,
	);
	if (!hasProgram) return {reason: 'gpgv is not installed'};
	for (const keyring of signing.keyrings) {
		if (await readFile(keyring).catch(() => undefined)) return {keyring};
	}
	return {reason: `the publisher’s key is not installed (${signing.keysFrom})`};
}

/**
 * Checks a signature with `gpgv`.
 * @param directory an empty work directory, removed by the caller
 * @param signature what the other file holds; absent for a document that holds its signature
 * @returns the verdict and the text that the signature covers: nothing else of the document is to be read
 * @throws DroverError `image.untrusted` for a signature that is wrong, of another key, expired, or not there
 */
export async function checkSignature(
	document: {readonly name: string; readonly body: Buffer; readonly signature?: Buffer},
	signing: Signing,
	{directory, signal}: {directory: string; signal: AbortSignal},
): Promise<{readonly verdict: Verdict; readonly text: Buffer}> {
	const verifier = await verifierFor(signing);
	if ('reason' in verifier) return unchecked(document, verifier.reason);
	const keyring = await binaryKeyring(verifier.keyring, directory);
	const input = path.join(directory, 'document');
	const output = path.join(directory, 'covered');
	const other = path.join(directory, 'signature');
	await writeFile(input, document.body, {mode: 0o600});
	if (document.signature !== undefined) await writeFile(other, document.signature, {mode: 0o600});
	const files = document.signature === undefined ? ['--output', output, input] : [other, input];
	const lines: string[] = [];
	const result = await tryRun('gpgv', ['--homedir', directory, '--keyring', keyring, '--status-fd', '3', ...files], {
		signal,
		timeout: 60,
		purpose: 'check a signature',
		onStatus: line => lines.push(line),
	});
	const key = readStatus(lines);
	if (result.exitCode !== 0 || key === undefined) throw refused(document.name, lines, signing, result.stderr);
	const text = document.signature === undefined ? await readFile(output) : document.body;
	return {verdict: {kind: 'verified', key}, text};
}

/** The key that made the one good signature; `undefined` when anything is wrong. */
export function readStatus(lines: readonly string[]): string | undefined {
	const words = lines.map(line => line.replace(/^\[GNUPG:\] /, '').split(' '));
	const has = (name: string) => words.some(([word]) => word === name);
	if (['BADSIG', 'ERRSIG', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG', 'NODATA', 'UNEXPECTED'].some(has)) return undefined;
	if (!has('GOODSIG')) return undefined;
	const key = words.find(([word]) => word === 'VALIDSIG')?.[1];
	return key !== undefined && /^[\dA-F]{40,64}$/.test(key) ? key : undefined;
}

function refused(name: string, lines: readonly string[], signing: Signing, stderr: string): DroverError {
	const has = (word: string) => lines.some(line => line.startsWith(`[GNUPG:] ${word} `) || line === `[GNUPG:] ${word}`);
	const why = has('NO_PUBKEY')
		? 'is signed with a key that is not its publisher’s'
		: has('EXPKEYSIG') || has('EXPSIG')
			? 'has a signature that has expired'
			: has('REVKEYSIG')
				? 'is signed with a key that was withdrawn'
				: has('BADSIG')
					? 'has a wrong signature'
					: 'has no signature that can be read';
	return new DroverError('image.untrusted', `${plainLine(name)} ${why}. It is not used.`, {
		next: `Try again later; if this stays, see that the keys are up to date: ${signing.keysFrom}.`,
		cause: lastLine(stderr),
	});
}

/** Without a check: of a document that holds its signature, the text that would be covered. */
function unchecked(
	document: {readonly body: Buffer; readonly signature?: Buffer},
	reason: string,
): {readonly verdict: Verdict; readonly text: Buffer} {
	return {verdict: {kind: 'unchecked', reason}, text: Buffer.from(withoutArmor(document.body.toString('utf8')))};
}

const begin = '-----BEGIN PGP SIGNED MESSAGE-----';

/** The text of a clearsigned document; of any other document all of it. Source: RFC 9580, 7. */
export function withoutArmor(document: string): string {
	const text = document.replaceAll('\r\n', '\n');
	if (!text.startsWith(`${begin}\n`)) return document;
	const start = text.indexOf('\n\n');
	const end = text.indexOf('\n-----BEGIN PGP SIGNATURE-----', start);
	if (start === -1 || end === -1) return '';
	return text.slice(start + 2, end + 1).replaceAll(/^- /gm, '');
}

/** gpgv reads keys in their binary form only; distributions of the RPM family install them as text. */
async function binaryKeyring(file: string, directory: string): Promise<string> {
	const content = await readFile(file);
	const blocks = [
		...content.toString('latin1').matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----([\s\S]*?)-----END PGP/g),
	];
	if (blocks.length === 0) return path.resolve(file);
	const binary = path.join(directory, 'keys.gpg');
	await writeFile(binary, Buffer.concat(blocks.map(([, block = '']) => unarmored(block))), {mode: 0o600});
	return binary;
}

function unarmored(block: string): Buffer {
	// Headers end with an empty line; a line that begins with = is the checksum.
	const body = block.replaceAll('\r', '').split('\n\n').slice(1).join('\n');
	const lines = body.split('\n').filter(line => !line.startsWith('='));
	return Buffer.from(lines.join(''), 'base64');
}
