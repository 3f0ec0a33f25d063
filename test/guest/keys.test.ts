import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {afterEach, describe, expect, test} from 'vitest';
import {clientKey, clientKeyFile, generateHostKey, sshDirectory} from '../../source/guest/keys.ts';
import {encodeKeyPair, isPublicKey, publicKeyOf} from '../../source/guest/openssh-key.ts';
import {locate} from '../../source/state/paths.ts';

const homes: string[] = [];
afterEach(() => {
	for (const home of homes.splice(0)) rmSync(home, {recursive: true, force: true});
});

function freshHome(): string {
	const home = mkdtempSync(path.join(tmpdir(), 'drover-keys-'));
	homes.push(home);
	return home;
}

function freshPaths() {
	return locate({DROVER_HOME: freshHome()});
}

describe('generateHostKey', () => {
	test('ssh-keygen reads the private key and finds the same public one', async () => {
		const key = await generateHostKey();
		const file = path.join(freshHome(), 'key');
		writeFileSync(file, key.private, {mode: 0o600});
		const {stdout, stderr} = spawnSync('ssh-keygen', ['-y', '-P', '', '-f', file], {encoding: 'utf8'});
		expect(stderr).toBe('');
		expect(stdout.trim()).toBe(`${key.public} drover-guest`);
	});

	test('every key is another', async () => {
		const keys = await Promise.all(Array.from({length: 8}, generateHostKey));
		expect(new Set(keys.map(key => key.public)).size).toBe(8);
		expect(new Set(keys.map(key => key.private)).size).toBe(8);
	});
});

describe('the format', () => {
	const bytes = fc.uint8Array({minLength: 32, maxLength: 32}).map(array => Buffer.from(array));

	test('any pair reads back, whatever its comment', () => {
		fc.assert(
			fc.property(bytes, bytes, fc.nat(2 ** 32 - 1), fc.string({unit: 'grapheme'}), (seed, point, check, comment) => {
				const pair = encodeKeyPair(seed, point, check, comment);
				expect(publicKeyOf(pair.private)).toBe(pair.public);
				expect(isPublicKey(pair.public)).toBe(true);
			}),
		);
	});

	test('a file that was cut short is not a key', () => {
		const pair = encodeKeyPair(Buffer.alloc(32, 1), Buffer.alloc(32, 2), 7, 'drover');
		for (let length = 0; length < pair.private.length - 1; length += 3) {
			expect(publicKeyOf(pair.private.slice(0, length))).toBeUndefined();
		}
	});

	test('a file whose two halves are of different keys is not a key', () => {
		const body = (pem: string) => Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
		const [one, other] = [2, 3].map(byte =>
			body(encodeKeyPair(Buffer.alloc(32, 1), Buffer.alloc(32, byte), 7, 'x').private),
		);
		// The public half ends where both copies of the check number begin.
		const seam = one!.indexOf(Buffer.from([0, 0, 0, 7, 0, 0, 0, 7]));
		const mixed = Buffer.concat([one!.subarray(0, seam), other!.subarray(seam)]).toString('base64');
		expect(
			publicKeyOf(`-----BEGIN OPENSSH PRIVATE KEY-----\n${mixed}\n-----END OPENSSH PRIVATE KEY-----\n`),
		).toBeUndefined();
	});

	test('anything else is not a key, and does not throw', () => {
		fc.assert(fc.property(fc.string(), text => publicKeyOf(text) === undefined && !isPublicKey(text)));
		const inner = fc.base64String({maxLength: 400});
		fc.assert(
			fc.property(
				inner,
				text =>
					publicKeyOf(`-----BEGIN OPENSSH PRIVATE KEY-----\n${text}\n-----END OPENSSH PRIVATE KEY-----\n`) ===
					undefined,
			),
		);
	});

	test('a public key line has nothing before and nothing after', async () => {
		const {public: line} = await generateHostKey();
		for (const bad of [`${line} comment`, `no-pty ${line}`, `${line}\n${line}`, line.slice(0, -4), 'ssh-rsa AAAA']) {
			expect(isPublicKey(bad), bad).toBe(false);
		}
	});
});

describe('clientKey', () => {
	test('is made once, private, and then kept', async () => {
		const paths = freshPaths();
		const first = await clientKey(paths);
		expect(first.identityFile).toBe(clientKeyFile(paths));
		expect(statSync(first.identityFile).mode & 0o777).toBe(0o600);
		expect(statSync(sshDirectory(paths)).mode & 0o777).toBe(0o700);
		expect(await clientKey(paths)).toEqual(first);
		expect(readdirSync(sshDirectory(paths))).toEqual(['id_ed25519']);
	});

	test('is the same for all who ask at once, in several processes', async () => {
		const home = freshHome();
		const module = (name: string) => JSON.stringify(new URL(`../../source/${name}`, import.meta.url).href);
		const program = `import {clientKey} from ${module('guest/keys.ts')};
			import {locate} from ${module('state/paths.ts')};
			const keys = await Promise.all([1, 2, 3, 4].map(() => clientKey(locate())));
			console.log(keys.map(key => key.public).join('\\n'));`;
		const answers = await Promise.all(
			Array.from({length: 3}, async () => {
				const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
					env: {...process.env, DROVER_HOME: home},
					stdio: ['ignore', 'pipe', 'inherit'],
				});
				let output = '';
				child.stdout.setEncoding('utf8').on('data', (text: string) => {
					output += text;
				});
				await once(child, 'close');
				return output.trim().split('\n');
			}),
		);
		expect(answers.flat()).toHaveLength(12);
		expect(new Set(answers.flat()).size).toBe(1);
		expect(readdirSync(sshDirectory(locate({DROVER_HOME: home})))).toEqual(['id_ed25519']);
	});

	test('a damaged key is told of and never replaced', async () => {
		const paths = freshPaths();
		mkdirSync(sshDirectory(paths), {recursive: true});
		writeFileSync(clientKeyFile(paths), 'not a key');
		chmodSync(clientKeyFile(paths), 0o600);
		await expect(clientKey(paths)).rejects.toMatchObject({code: 'host.failed', next: expect.stringContaining('Put')});
		expect(readFileSync(clientKeyFile(paths), 'utf8')).toBe('not a key');
	});
});
