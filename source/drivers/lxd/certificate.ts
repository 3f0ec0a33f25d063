import {generateKeyPair} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {hostname, userInfo} from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import type {asn1} from 'node-forge';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';

type Class = asn1.Class;

export type ClientCertificate = {readonly certificateFile: string; readonly keyFile: string};

const validYears = 10;

/**
 * The certificate that drover shows to remote servers, made when first needed; the key is its user's only.
 * RSA, as every version of both servers takes it.
 */
export async function clientCertificate(directory: string): Promise<ClientCertificate> {
	const certificateFile = path.join(directory, 'client.crt');
	const keyFile = path.join(directory, 'client.key');
	const read = (file: string) => readFile(file, 'utf8').catch(() => undefined);
	if ((await read(certificateFile)) !== undefined && (await read(keyFile)) !== undefined) {
		return {certificateFile, keyFile};
	}
	makePrivate(directory);
	const {privateKey} = await promisify(generateKeyPair)('rsa', {
		modulusLength: 3072,
		publicKeyEncoding: {type: 'spki', format: 'pem'},
		privateKeyEncoding: {type: 'pkcs1', format: 'pem'},
	});
	const certificate = await selfSigned(privateKey, `drover ${userInfo().username}@${hostname()}`);
	// The key last: a pair is there when both are.
	await writeAtomic(certificateFile, certificate);
	await writeAtomic(keyFile, privateKey);
	return {certificateFile, keyFile};
}

/** A certificate for a key, signed with it. @param key PEM, PKCS #1. @returns PEM */
export async function selfSigned(key: string, name: string): Promise<string> {
	const {default: forge} = await import('node-forge');
	const privateKey = forge.pki.privateKeyFromPem(key);
	const certificate = forge.pki.createCertificate();
	certificate.publicKey = forge.pki.setRsaPublicKey(privateKey.n, privateKey.e);
	// Positive, and written without a leading zero byte: servers written in Go refuse others.
	certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(15))}`;
	certificate.validity.notBefore = new Date(Date.now() - 60 * 60_000);
	certificate.validity.notAfter = new Date(certificate.validity.notBefore);
	certificate.validity.notAfter.setFullYear(certificate.validity.notBefore.getFullYear() + validYears);
	// Else it would be written as a kind of text that knows no @, which servers refuse.
	const valueTagClass = forge.asn1.Type.UTF8 as unknown as Class;
	const attributes = [
		{name: 'commonName', value: name.slice(0, 64), valueTagClass},
		{name: 'organizationName', value: 'drover', valueTagClass},
	];
	certificate.setSubject(attributes);
	certificate.setIssuer(attributes);
	certificate.setExtensions([
		{name: 'basicConstraints', cA: false},
		{name: 'keyUsage', digitalSignature: true, keyEncipherment: true},
		{name: 'extKeyUsage', clientAuth: true},
	]);
	certificate.sign(privateKey, forge.md.sha256.create());
	return forge.pki.certificateToPem(certificate);
}
