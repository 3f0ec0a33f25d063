import {createHash, generateKeyPairSync, X509Certificate} from 'node:crypto';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import type {AddressInfo} from 'node:net';
import path from 'node:path';
import {createServer} from 'node:tls';
import {beforeAll, describe, expect, onTestFinished, test} from 'vitest';
import {selfSigned} from '../../../source/drivers/lxd/certificate.ts';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {openSocket} from '../../../source/drivers/lxd/socket.ts';
import type {Paths} from '../../../source/state/paths.ts';
import {scratchPaths} from '../../support/scratch.ts';
import {type FakeAnswer, type FakeRequest, FakeServer, facts, refused} from './fake-server.ts';

type Identity = {readonly key: string; readonly cert: string; readonly fingerprint: string};

async function identity(): Promise<Identity> {
	const {privateKey: key} = generateKeyPairSync('rsa', {
		modulusLength: 2048,
		publicKeyEncoding: {type: 'spki', format: 'pem'},
		privateKeyEncoding: {type: 'pkcs1', format: 'pem'},
	});
	const cert = await selfSigned(key, 'server');
	return {key, cert, fingerprint: createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')};
}

let server: Identity;
let other: Identity;
beforeAll(async () => {
	[server, other] = [await identity(), await identity()];
});

async function fakeRemote(handler?: (request: FakeRequest) => FakeAnswer | undefined): Promise<FakeServer> {
	const fake = await FakeServer.listen({key: server.key, cert: server.cert}, ...(handler ? [handler] : []));
	onTestFinished(() => fake.close());
	return fake;
}

function driverFor(remote: string, paths: Paths = scratchPaths()) {
	const settings: Readonly<Record<string, string>> = {'local.lxd.remote': remote, 'local.lxd.type': 'container'};
	const driver = createLxdDriver({paths, setting: key => settings[key] ?? '', environment: {}});
	onTestFinished(() => driver.close?.());
	return driver;
}

/** A server with the certificate, which only keeps what it is sent after the handshake. */
async function listener(): Promise<{url: string; received(): string; connections(): number}> {
	const parts: Buffer[] = [];
	let connections = 0;
	const plain = createServer({key: server.key, cert: server.cert, requestCert: true, rejectUnauthorized: false});
	plain.on('connection', () => connections++);
	// A client that gives up at the sight of the certificate does not get so far.
	plain.on('tlsClientError', () => {});
	plain.on('secureConnection', socket => {
		socket.on('error', () => {});
		socket.on('data', part => parts.push(part));
	});
	plain.listen(0, '127.0.0.1');
	await once(plain, 'listening');
	onTestFinished(() => void plain.close());
	const {port} = plain.address() as AddressInfo;
	return {
		url: `https://127.0.0.1:${port}`,
		received: () => Buffer.concat(parts).toString('latin1'),
		connections: () => connections,
	};
}

describe('a server from afar', () => {
	test('whose certificate nobody vouches for is not used, and the sentence has its fingerprint', async () => {
		const fake = await fakeRemote();
		expect(await driverFor(fake.url).health()).toMatchObject({
			installed: true,
			usable: false,
			summary: `the server at ${fake.url} shows a certificate that this system does not trust, with the fingerprint ${server.fingerprint}`,
			remedy: expect.stringContaining(`drover set "local.lxd.remote=${fake.url}#${server.fingerprint}"`),
		});
		expect(fake.requests).toEqual([]);
	});

	test('is used when it shows the certificate that was agreed on, and is shown drover’s', async () => {
		const fake = await fakeRemote();
		const paths = scratchPaths();
		const driver = driverFor(`${fake.url}#${server.fingerprint}`, paths);
		expect(await driver.health()).toMatchObject({
			usable: true,
			version: '5.0.2',
			summary: expect.stringContaining(` at ${fake.url}: containers`),
		});
		expect(fake.requests[0]).toBe('GET /1.0');
		const own = new X509Certificate(readFileSync(path.join(paths.data, 'lxd', 'client.crt')));
		expect(fake.certificates).toContain(createHash('sha256').update(own.raw).digest('hex'));
	});

	test('that shows another certificate is refused, and nothing but the handshake was sent', async () => {
		const {url, received, connections} = await listener();
		const driver = driverFor(`${url}#${other.fingerprint}`);
		expect(await driver.health()).toMatchObject({
			usable: false,
			summary: `the server at ${url} shows another certificate than the one that was agreed on: ${server.fingerprint} instead of ${other.fingerprint}`,
			remedy: expect.stringMatching(/Somebody may be in between/),
		});
		await expect(driver.members!()).rejects.toMatchObject({code: 'driver.unusable'});
		const paths = scratchPaths();
		await driverFor('https://127.0.0.1:1', paths).health();
		const socket = openSocket(
			{
				kind: 'https',
				url,
				certificateFile: path.join(paths.data, 'lxd', 'client.crt'),
				keyFile: path.join(paths.data, 'lxd', 'client.key'),
				fingerprint: other.fingerprint,
			},
			'/1.0/events',
		);
		const [error] = (await once(socket, 'error')) as [Error];
		expect(error.message).toMatch(/not the expected one/);
		// The driver, its look at the certificate alone, and the websocket.
		expect(connections()).toBeGreaterThanOrEqual(3);
		expect(received()).toBe('');
		// It would have been seen, had anything been sent.
		void driverFor(`${url}#${server.fingerprint}`).health();
		await expect.poll(received, {timeout: 10_000}).toMatch(/^GET \/1\.0 /);
	});

	test.each([
		['with an error', () => refused(403, 'not authorized')],
		['by calling it untrusted', () => facts({auth: 'untrusted'})],
	])('that does not know drover’s certificate says so %s', async (_, answer) => {
		const fake = await fakeRemote(answer);
		const paths = scratchPaths();
		expect(await driverFor(`${fake.url}#${server.fingerprint}`, paths).health()).toMatchObject({
			usable: false,
			summary: `the server at ${fake.url} does not know drover's certificate`,
			remedy: expect.stringContaining(path.join(paths.data, 'lxd', 'client.crt')),
		});
	});

	test('where nobody listens', async () => {
		const fake = await FakeServer.listen({key: server.key, cert: server.cert});
		const {url} = fake;
		await fake.close();
		expect(await driverFor(`${url}#${server.fingerprint}`).health()).toMatchObject({
			installed: true,
			usable: false,
			summary: expect.stringMatching(/cannot be reached \(.*ECONNREFUSED/),
			remedy: expect.stringMatching(/core.https_address/),
		});
	});

	test('that does not answer, or answers with something else', async () => {
		const silent = await fakeRemote(() => 'hang');
		const garbage = await fakeRemote(() => ({text: 'hello'}));
		const [one, two] = await Promise.all([
			driverFor(`${silent.url}#${server.fingerprint}`).health(),
			driverFor(`${garbage.url}#${server.fingerprint}`).health(),
		]);
		expect(one).toMatchObject({
			usable: false,
			summary: expect.stringMatching(/cannot be reached \(no answer within 4 s/),
		});
		expect(two).toMatchObject({
			usable: false,
			summary: expect.stringMatching(/cannot be used: status 200, and no JSON/),
		});
	});
});
