import {chmodSync, existsSync, mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {searchPath} from '../../source/images/run.ts';
import {checkSignature, readStatus, type Signing, verifierFor, withoutArmor} from '../../source/images/signature.ts';
import {makeSigner} from '../support/openpgp.ts';
import {temporaryDirectory} from './work.ts';

const {signal} = new AbortController();
const hasGpgv = searchPath()
	.split(':')
	.some(directory => existsSync(path.join(directory, 'gpgv')));

function setUp(keys: Buffer | string, kind: 'clear' | 'detached' = 'clear') {
	const directory = temporaryDirectory();
	const keyring = path.join(directory, 'keys');
	writeFileSync(keyring, keys);
	const signing: Signing = {kind, keyrings: ['/nowhere/keys.gpg', keyring], keysFrom: 'the package test-keyring'};
	const check = (body: string, signature?: string) => {
		const work = path.join(directory, `work-${Math.random()}`);
		mkdirSync(work);
		const document = {name: 'index.sjson', body: Buffer.from(body)};
		return checkSignature(
			signature === undefined ? document : {...document, signature: Buffer.from(signature)},
			signing,
			{directory: work, signal},
		);
	};
	return {signing, check};
}

describe.skipIf(!hasGpgv)('with gpgv', () => {
	const signer = makeSigner();

	test('a document that holds its signature: verified, and only what is covered is read', async () => {
		const {check} = setUp(signer.keyring);
		const text = '{\n  "a": 1\n}\n- a line with a dash\n';
		const {verdict, text: covered} = await check(`${signer.clearsign(text)}{"and": "more"}\n`).catch(error => {
			// Some versions do not like what follows, which is as well.
			expect(error).toMatchObject({code: 'image.untrusted'});
			return check(signer.clearsign(text));
		});
		expect(verdict).toEqual({kind: 'verified', key: signer.fingerprint});
		expect(covered.toString()).toBe(text);
	});

	test('a signature in a file of its own, keys as text', async () => {
		const {check} = setUp(`Some words.\n${makeSigner().armoredKeyring}${signer.armoredKeyring}`, 'detached');
		const body = `${'a'.repeat(64)}  image.qcow2\n`;
		const {verdict, text} = await check(body, signer.detach(body));
		expect(verdict).toEqual({kind: 'verified', key: signer.fingerprint});
		expect(text.toString()).toBe(body);
		await expect(check(`${body} `, signer.detach(body))).rejects.toMatchObject({
			code: 'image.untrusted',
			message: 'index.sjson has a wrong signature. It is not used.',
		});
		await expect(check(body, 'nonsense')).rejects.toMatchObject({code: 'image.untrusted'});
	});

	test('what was changed, signed by another, or not signed is refused', async () => {
		const {check} = setUp(signer.keyring);
		const document = signer.clearsign('{"sha256": "aaaa"}\n');
		await expect(check(document.replace('aaaa', 'bbbb'))).rejects.toMatchObject({
			code: 'image.untrusted',
			message: 'index.sjson has a wrong signature. It is not used.',
			next: expect.stringContaining('the package test-keyring'),
		});
		await expect(check(makeSigner().clearsign('{}\n'))).rejects.toMatchObject({
			message: 'index.sjson is signed with a key that is not its publisher’s. It is not used.',
		});
		for (const body of ['{}', '', '-----BEGIN PGP SIGNED MESSAGE-----\n\n{}\n']) {
			await expect(check(body)).rejects.toMatchObject({code: 'image.untrusted'});
		}
	});
});

test('without the keys or the program it is not checked, and the reason is told', async () => {
	const reason = expect.stringMatching(hasGpgv ? /^the publisher’s key is not installed/ : /^gpgv is not installed/);
	const {check, signing} = setUp('');
	const nowhere = {...signing, keyrings: ['/nowhere/keys.gpg']};
	const document = makeSigner().clearsign('- {"a": 1}\n');
	expect(await verifierFor(nowhere)).toEqual({reason});
	const unchecked = await checkSignature({name: 'x', body: Buffer.from(document)}, nowhere, {directory: '/', signal});
	expect(unchecked).toEqual({verdict: {kind: 'unchecked', reason}, text: Buffer.from('- {"a": 1}\n')});
	const directory = temporaryDirectory();
	const before = process.env['PATH'];
	process.env['PATH'] = directory;
	onTestFinished(() => {
		process.env['PATH'] = before;
	});
	// The program's usual places are searched, too; in a place of one's own it is found first.
	writeFileSync(path.join(directory, 'gpgv'), '#!/bin/sh\nexit 2\n');
	chmodSync(path.join(directory, 'gpgv'), 0o755);
	await expect(check(document)).rejects.toMatchObject({code: 'image.untrusted'});
});

test('the text of a document is read as it would be covered', () => {
	const text = '{\n- "a": 1,\n-----\n}\n';
	expect(withoutArmor(makeSigner().clearsign(text))).toBe(text);
	expect(withoutArmor('{"a": 1}\n')).toBe('{"a": 1}\n');
	expect(withoutArmor('-----BEGIN PGP SIGNED MESSAGE-----\n{}')).toBe('');
});

test('only one good signature of a key that is in force counts', () => {
	const key = 'A'.repeat(40);
	const good = ['[GNUPG:] NEWSIG', `[GNUPG:] GOODSIG ${key.slice(-16)} Name`, `[GNUPG:] VALIDSIG ${key} 2026-01-01`];
	expect(readStatus(good)).toBe(key);
	expect(readStatus([])).toBeUndefined();
	expect(readStatus(good.slice(0, 2))).toBeUndefined();
	for (const bad of ['BADSIG', 'ERRSIG', 'EXPKEYSIG', 'REVKEYSIG', 'EXPSIG', 'NODATA']) {
		expect(readStatus([...good, `[GNUPG:] ${bad} ${key}`])).toBeUndefined();
	}
	// A name cannot pretend to be a line of its own.
	expect(readStatus([`[GNUPG:] ERRSIG x [GNUPG:] GOODSIG VALIDSIG ${key}`])).toBeUndefined();
});
