import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import type {Distribution} from '../../source/images/catalogue/distributions.ts';
import {searchPath} from '../../source/images/run.ts';
import {createImageStore, type ImageStoreOptions} from '../../source/images/store.ts';
import type {DroverError} from '../../source/model/errors.ts';
import {makeSigner} from '../support/openpgp.ts';
import {Publisher} from './support/publisher.ts';
import {diskPath, publishStream, type TreeProduct} from './support/stream-tree.ts';
import {rawDisk, recordedWork, temporaryDirectory} from './work.ts';

const hasGpgv = searchPath()
	.split(':')
	.some(directory => existsSync(path.join(directory, 'gpgv')));
const hour = 3600 * 1000;
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** Two catalogues as Ubuntu has them, a list of distributions and a clock that the test sets. */
async function setUp(options: Partial<ImageStoreOptions> = {}) {
	const directory = temporaryDirectory();
	const publisher = await Publisher.open();
	let seed = 0;
	const disk = () => rawDisk(path.join(directory, `disk-${++seed}`), 256 * 1024, seed);
	const noble: TreeProduct = {
		title: '24.04 LTS',
		codename: 'noble',
		aliases: '24.04,default,lts,n,noble',
		versions: {'20260101': {disk: disk()}, '20260201': {disk: disk()}},
	};
	const old: TreeProduct = {
		title: '17.04',
		codename: 'zesty',
		aliases: '17.04,z,zesty',
		supported: false,
		versions: {'1': {disk: disk()}},
	};
	const next: TreeProduct = {
		title: '26.10',
		codename: 'stork',
		aliases: '26.10,devel,stork',
		versions: {'20260301': {disk: disk()}},
	};
	const foreign: TreeProduct = {...next, arch: 'riscv64', codename: 'r', aliases: 'r', title: '99.04'};
	const remotes = [
		publishStream(publisher, [noble, old, foreign]),
		publishStream(publisher, [noble, next], {name: 'daily', directory: 'daily/'}),
	];
	const own = disk();
	const debian: Distribution = {
		name: 'debian-13',
		aliases: ['debian', 'trixie'],
		os: 'Debian',
		release: '13 (trixie)',
		version: 'latest',
		user: 'debian',
		memoryMinimum: 256 * 2 ** 20,
		diskMinimum: 3 * 2 ** 30,
		files: {
			amd64: {
				url: publisher.put('debian/debian-13.img', own),
				checksum: {url: publisher.put('debian/SHA512SUMS', sums('debian-13.img', own))},
			},
		},
	};
	const clock = {now: Date.now()};
	const config = path.join(directory, 'config');
	mkdirSync(config);
	const make = (more: Partial<ImageStoreOptions> = {}) =>
		createImageStore({
			paths: {cache: path.join(directory, 'cache'), config},
			architecture: 'x64',
			remotes,
			distributions: [debian],
			times: {answer: 3000, stall: 3000, retries: [1]},
			now: () => clock.now,
			...options,
			...more,
		});
	return {directory, publisher, noble, old, next, remotes, own, clock, config, make, store: make(), disk};
}

function sums(name: string, data: Buffer): string {
	return `${createHash('sha512').update(data).digest('hex')}  ${name}\n${'0'.repeat(128)}  other.img\n`;
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
	return promise.then(
		() => {
			throw new Error('It succeeded.');
		},
		(error: DroverError) => error,
	);
}

const indexes = ['releases/streams/v1/index.json', 'daily/streams/v1/index.json'];

test('release comes before daily, daily before the others; the newest version of each', async () => {
	const {store, noble} = await setUp();
	expect(await store.resolve('noble')).toMatchObject({
		release: '24.04 LTS',
		entry: {remote: 'release', version: '20260201', checksum: {hex: sha256(noble.versions['20260201']!.disk)}},
	});
	expect((await store.resolve('daily:noble')).entry?.remote).toBe('daily');
	expect((await store.resolve('devel')).entry).toMatchObject({remote: 'daily', name: '26.10'});
	expect(await store.resolve('trixie')).toMatchObject({
		os: 'Debian',
		user: 'debian',
		memoryMinimum: 256 * 2 ** 20,
		diskMinimum: 3 * 2 ** 30,
		entry: {remote: '', name: 'debian-13'},
	});
	expect((await store.resolve('micro')).provider).toBe('micro');
	expect((await failure(store.resolve('r'))).message).toBe('There is no image "r".');
	expect((await failure(store.resolve('release:devel'))).code).toBe('image.unknown');
	expect((await failure(store.resolve('moon:noble'))).message).toBe(
		'There is no catalogue "moon"; there are release and daily.',
	);
});

test('one that its publisher no longer cares for is hidden, can be launched, and the log says so', async () => {
	const {store} = await setUp();
	const names = async (request = {}) =>
		(await store.find({query: '', ...request})).images.map(({name, remote}) => `${remote}:${name}`);
	expect(await names()).toEqual([':micro', 'release:24.04', 'daily:26.10', ':debian-13']);
	expect(await names({showUnsupported: true})).toContain('release:17.04');
	expect(await names({query: 'daily:'})).toEqual(['daily:26.10', 'daily:24.04']);
	expect(await names({query: 'noble'})).toEqual(['release:24.04', 'daily:24.04']);
	expect(await names({query: 'bian'})).toEqual([':debian-13']);
	expect(await names({query: 'nothing'})).toEqual([]);
	expect((await store.resolve('zesty')).notes).toContain('Ubuntu 17.04 is no longer supported.');
});

test('an image is found by the beginning of its hash, older versions as well', async () => {
	const {store, noble, publisher, disk} = await setUp();
	const hash = sha256(noble.versions['20260101']!.disk);
	expect((await store.resolve(hash.slice(0, 8))).entry).toMatchObject({version: '20260101', remote: 'release'});
	expect((await store.resolve(hash)).entry).toMatchObject({version: '20260101'});
	expect((await store.find({query: sha256(noble.versions['20260201']!.disk).slice(0, 12)})).images).toHaveLength(2);
	expect((await failure(store.resolve('00000000'))).code).toBe('image.unknown');
	expect((await failure(store.resolve(hash.slice(0, 7)))).code).toBe('image.unknown');
	const twins = ['a', 'b'].map(letter => ({disk: disk(), sha256: `0123456789${letter.repeat(54)}`}));
	publishStream(publisher, [{...noble, versions: {'1': twins[0]!, '2': twins[1]!}}]);
	await store.find({query: '', forceUpdate: true});
	const error = await failure(store.resolve('0123456789'));
	expect(error).toMatchObject({code: 'image.unknown', next: 'Give more of its digits.'});
	expect(error.message).toBe(
		'The hash 0123456789 is the beginning of several: 0123456789bb (24.04 2) and 0123456789aa (24.04 1).',
	);
	expect((await store.resolve('0123456789b')).entry?.version).toBe('2');
});

test('a catalogue is believed for six hours, then asked whether it has changed; --force-update asks at once', async () => {
	const {make, publisher, clock, noble, disk} = await setUp();
	const store = make();
	await store.find({query: ''});
	const {length} = publisher.requests;
	clock.now += 5.9 * hour;
	await store.find({query: ''});
	await make().resolve('noble');
	expect(publisher.requests).toHaveLength(length);
	clock.now += 0.2 * hour;
	const sent: number[] = [];
	for (const index of indexes) {
		publisher.faults.set(`/${index}`, request => {
			if (request.headers['if-none-match'] !== undefined) sent.push(1);
			return false;
		});
	}
	const later = make();
	expect((await later.find({query: ''})).images).toHaveLength(4);
	expect(sent).toHaveLength(2);
	expect(publisher.requests).toHaveLength(length + 4);
	publishStream(publisher, [{...noble, versions: {...noble.versions, '20260401': {disk: disk()}}}]);
	expect((await later.find({query: '24'})).images[0]?.version).toBe('20260201');
	const {images} = await later.find({query: '24', forceUpdate: true});
	expect(images[0]?.version).toBe('20260401');
	expect((await make().resolve('noble')).entry?.version).toBe('20260401');
});

test('a server that is away: what it said before is used, and its age is told', async () => {
	const {make, publisher, clock} = await setUp();
	const store = make();
	await store.resolve('noble');
	clock.now += 30 * hour;
	await publisher.close();
	const image = await store.resolve('noble');
	expect(image.entry?.version).toBe('20260201');
	expect(image.notes).toEqual([
		expect.stringMatching(
			/^The catalogue release could not be refreshed \(127\.0\.0\.1:\d+ cannot be reached: it refuses the connection\): what 127\.0\.0\.1:\d+ said 30 hours ago is used\.$/,
		),
	]);
	const {images, notes} = await make().find({query: ''});
	expect(images.map(({name}) => name)).toEqual(['micro', '24.04', 'debian-13']);
	expect(notes).toEqual([
		expect.stringMatching(/^The catalogue release could not be refreshed/),
		expect.stringMatching(
			/^The catalogue daily could not be fetched: 127\.0\.0\.1:\d+ cannot be reached: it refuses the connection, and nothing of it is kept here\.$/,
		),
		expect.stringMatching(/^micro, images on this machine/),
	]);
	const work = recordedWork();
	await store.fetch(image, work).catch(() => undefined);
	expect(work.lines[0]).toMatch(/said 30 hours ago is used\.$/);
});

test('a server that is away from the beginning: one sentence, and what works without it does', async () => {
	const {make, publisher, directory} = await setUp();
	await publisher.close();
	const store = make();
	const error = await failure(store.resolve('noble'));
	expect(error).toMatchObject({
		code: 'image.download',
		message: expect.stringMatching(/^The catalogue release could not be fetched: 127\.0\.0\.1:\d+ cannot be reached/),
		next: 'micro, images on this machine (file:///…) and addresses (https://…) can be launched without it.',
	});
	expect((await failure(store.find({query: 'daily:'}))).code).toBe('image.download');
	expect(await store.resolve('micro')).toMatchObject({provider: 'micro'});
	expect(await store.resolve(`file://${directory}/disk-1`)).toMatchObject({provider: 'file'});
	// A name that is known here waits for no server.
	expect((await store.resolve('debian')).entry?.name).toBe('debian-13');
	expect((await store.find({query: 'micro'})).notes).toEqual([]);
	expect((await store.find({query: ''})).images.map(({name}) => name)).toEqual(['micro', 'debian-13']);
});

test('micro, and names that are known here, are not held up by a server that does not answer', async () => {
	const {store, publisher} = await setUp();
	for (const index of indexes) publisher.faults.set(`/${index}`, () => true);
	await store.resolve('micro');
	await store.resolve('debian');
	await store.find({query: 'micro'});
	expect(publisher.requests).toEqual([]);
});

test('a clock that was set back does not make the future a reason not to ask', async () => {
	const {make, publisher, clock} = await setUp();
	await make().find({query: ''});
	const {length} = publisher.requests;
	clock.now -= 100 * hour;
	await make().find({query: ''});
	expect(publisher.requests.length).toBeGreaterThan(length);
});

test('what is no catalogue is told; what is kept of it before stays', async () => {
	const {make, publisher, clock} = await setUp();
	await make().find({query: ''});
	clock.now += 7 * hour;
	for (const body of ['<html>Log in</html>', '{"products": 5}', '{}', 'x'.repeat(100)]) {
		publisher.put(indexes[0]!, body);
		const {images, notes} = await make().find({query: ''});
		expect(images.map(({name}) => name)).toContain('24.04');
		expect(notes).toEqual([
			expect.stringMatching(/^The catalogue release could not be refreshed \(The catalogue release /),
		]);
	}
});

test('an image whose hash is in a list of hashes: the list is fetched, and again when the image was replaced', async () => {
	const {store, publisher, own, disk} = await setUp();
	const image = await store.resolve('debian');
	expect((await store.find({query: 'debian'})).images[0]?.cached).toBe(false);
	const cached = await store.fetch(image, recordedWork());
	expect(readFileSync(cached.path).equals(own)).toBe(true);
	expect((await store.find({query: 'debian'})).images[0]?.cached).toBe(true);
	await store.fetch(image, recordedWork());
	expect(publisher.asked('debian/debian-13.img')).toBe(1);
	expect(publisher.asked('debian/SHA512SUMS')).toBe(1);
	// Replaced, while the list that is known is young: what is in the cache is still what was asked for.
	const other = disk();
	publisher.put('debian/debian-13.img', other);
	publisher.put('debian/SHA512SUMS', sums('debian-13.img', other));
	expect(await store.fetch(image, recordedWork())).toEqual(cached);
});

test('a list that is older than the image it lists is asked for anew', async () => {
	const {store, publisher, disk} = await setUp();
	const image = await store.resolve('debian');
	publisher.cut('debian/debian-13.img', 1000, 1);
	const cut = publisher.faults.get('/debian/debian-13.img')!;
	const other = disk();
	publisher.faults.set('/debian/debian-13.img', (request, response) => {
		const isCut = cut(request, response);
		if (isCut) {
			publisher.put('debian/debian-13.img', other);
			publisher.put('debian/SHA512SUMS', sums('debian-13.img', other));
		}
		return isCut;
	});
	const work = recordedWork();
	expect(readFileSync((await store.fetch(image, work)).path).equals(other)).toBe(true);
	expect(work.lines.join()).toContain('has replaced this image meanwhile');
});

test('a list without the image, or none, is told', async () => {
	const {make, publisher} = await setUp();
	publisher.put('debian/SHA512SUMS', `${'0'.repeat(128)}  a\n${'1'.repeat(128)}  b\n`);
	const store = make();
	expect((await failure(store.fetch(await store.resolve('debian'), recordedWork()))).message).toMatch(
		/SHA512SUMS does not list debian-13\.img\.$/,
	);
	publisher.files.delete('/debian/SHA512SUMS');
	const another = make({paths: {cache: temporaryDirectory()}});
	expect((await failure(another.fetch(await another.resolve('debian'), recordedWork()))).message).toMatch(
		/^The list of hashes SHA512SUMS could not be fetched: .* status 404, and nothing of it is kept here\.$/,
	);
});

test('a user’s own list adds images, stands before drover’s, and what is wrong in it is told', async () => {
	const {make, config, publisher, disk} = await setUp();
	const mine = disk();
	const entry = (name: string) => `
  - name: ${name}
    user: me
    os: Mine
    amd64:
      url: ${publisher.put('mine.img', mine)}
      checksum: sha256:${sha256(mine)}`;
	writeFileSync(path.join(config, 'images.yaml'), `images:${entry('mine')}${entry('debian')}${entry('no name')}\n`);
	const store = make();
	const image = await store.resolve('mine');
	expect(image).toMatchObject({user: 'me', os: 'Mine'});
	expect(readFileSync((await store.fetch(image, recordedWork())).path).equals(mine)).toBe(true);
	expect((await store.resolve('debian')).user).toBe('me');
	expect((await store.find({query: 'mine'})).notes).toEqual([
		expect.stringMatching(/^images\.yaml, line \d+: images\[2\]\.name must be letters/),
	]);
	expect((await failure(store.resolve('nowhere'))).next).toMatch(/images\.yaml, line \d+/);
});

test('a mirror that lists the same gives the bytes', async () => {
	const {make, noble} = await setUp();
	const mirror = await Publisher.open();
	publishStream(mirror, [noble]);
	const store = make({mirror: () => mirror.origin});
	const work = recordedWork();
	const cached = await store.fetch(await store.resolve('noble'), work);
	expect(readFileSync(cached.path).equals(noble.versions['20260201']!.disk)).toBe(true);
	expect(mirror.asked(`releases/${diskPath(noble, '20260201')}`)).toBe(1);
	expect(work.lines).toEqual([]);
});

test.each([
	[
		'another hash',
		'lists another hash for this version',
		(noble: TreeProduct, disk: Buffer) => [{...noble, versions: {'20260201': {disk}}}],
	],
	[
		'an older version only',
		'does not list this version',
		(noble: TreeProduct) => [{...noble, versions: {'20260101': noble.versions['20260101']!}}],
	],
	['nothing', 'does not list this version', () => []],
] as const)('a mirror that lists %s is not trusted', async (_, why, listed) => {
	const {make, noble, publisher, disk} = await setUp();
	const mirror = await Publisher.open();
	publishStream(mirror, listed(noble, disk()));
	const store = make({mirror: () => mirror.origin});
	const work = recordedWork();
	const cached = await store.fetch(await store.resolve('noble'), work);
	expect(readFileSync(cached.path).equals(noble.versions['20260201']!.disk)).toBe(true);
	expect(publisher.asked(`releases/${diskPath(noble, '20260201')}`)).toBe(1);
	expect(mirror.requests.every(line => line.includes('streams/'))).toBe(true);
	expect(work.lines[0]).toContain(why);
});

test('a mirror that lists the same and gives other bytes: they are thrown away, the publisher’s are taken', async () => {
	const {make, noble, disk} = await setUp();
	const mirror = await Publisher.open();
	publishStream(mirror, [noble]);
	mirror.put(`releases/${diskPath(noble, '20260201')}`, disk());
	const store = make({mirror: () => mirror.origin});
	const work = recordedWork();
	const cached = await store.fetch(await store.resolve('noble'), work);
	expect(readFileSync(cached.path).equals(noble.versions['20260201']!.disk)).toBe(true);
	expect(work.lines[0]).toMatch(/^The mirror does not give it \(.*its hash is another one.*\): it is taken from 127/);
});

test('a mirror that is away does not stop anything', async () => {
	const {make, noble} = await setUp();
	const store = make({mirror: () => 'https://127.0.0.1:9/'});
	const work = recordedWork();
	const cached = await store.fetch(await store.resolve('noble'), work);
	expect(readFileSync(cached.path).equals(noble.versions['20260201']!.disk)).toBe(true);
	expect(work.lines[0]).toMatch(/^The mirror cannot be used /);
});

test.skipIf(!hasGpgv)(
	'a catalogue that is signed is checked; a wrong signature is refused; without keys that is told',
	async () => {
		const {make, directory, publisher, noble, disk} = await setUp();
		const signer = makeSigner();
		const keyring = path.join(directory, 'keys.gpg');
		writeFileSync(keyring, signer.keyring);
		const signing = {kind: 'clear' as const, keyrings: [keyring], keysFrom: 'the package test-keyring'};
		const remote = publishStream(publisher, [noble], {directory: 'signed/', sign: text => signer.clearsign(text)});
		const at = (name: string, keyrings: readonly string[]) =>
			make({
				paths: {cache: path.join(directory, name)},
				remotes: [{...remote, signing: {...signing, keyrings}}],
			});
		const signed = at('one', [keyring]);
		expect(await signed.resolve('noble')).toMatchObject({notes: [], entry: {version: '20260201'}});
		expect(publisher.requests.filter(line => line.includes('signed/'))).toEqual([
			'GET /signed/streams/v1/index.sjson',
			'GET /signed/streams/v1/com.ubuntu.cloud:released:download.sjson',
		]);
		const unchecked = await at('two', ['/nowhere.gpg']).resolve('noble');
		expect(unchecked.notes).toEqual([
			'The signature of the catalogue release was not checked: the publisher’s key is not installed (the package test-keyring). Certificate and hash are checked.',
		]);
		publishStream(publisher, [{...noble, versions: {'6': {disk: disk()}}}], {
			directory: 'signed/',
			sign: text => makeSigner().clearsign(text),
		});
		expect(await failure(at('three', [keyring]).resolve('noble'))).toMatchObject({
			code: 'image.untrusted',
			message: expect.stringContaining('is signed with a key that is not its publisher’s'),
		});
		// What was checked before stays in force, and it is told why there is nothing newer.
		expect((await signed.find({query: '', forceUpdate: true})).notes[0]).toMatch(
			/could not be refreshed \(.*key that is not/,
		);
		expect((await signed.resolve('noble')).entry?.version).toBe('20260201');
		publisher.files.delete('/signed/streams/v1/index.sjson');
		expect((await failure(at('four', [keyring]).resolve('noble'))).message).toContain('status 404');
	},
);

test.skipIf(!hasGpgv)('a list of hashes with a signature beside it is checked', async () => {
	const {make, config, directory, publisher, disk} = await setUp();
	const signer = makeSigner();
	const keyring = path.join(directory, 'own-keys.asc');
	writeFileSync(keyring, signer.armoredKeyring);
	const mine = disk();
	const list = `${sha256(mine)}  mine.img\n`;
	publisher.put('own/mine.img', mine);
	publisher.put('own/SHA256SUMS', list);
	publisher.put('own/SHA256SUMS.gpg', signer.detach(list));
	const entry = (keys: string) => `images:
  - name: mine
    user: me
    amd64:
      url: ${publisher.origin}own/mine.img
      checksum-file: ${publisher.origin}own/SHA256SUMS
      signature: ${publisher.origin}own/SHA256SUMS.gpg
      keyring: ${keys}
`;
	const at = (name: string) => make({paths: {cache: path.join(directory, name), config}});
	writeFileSync(path.join(config, 'images.yaml'), entry(keyring));
	const verified = recordedWork();
	await at('one').fetch(await at('one').resolve('mine'), verified);
	expect(verified.lines).toEqual([]);
	publisher.put('own/SHA256SUMS', `${'0'.repeat(64)}  mine.img\n`);
	expect(await failure(at('two').fetch(await at('two').resolve('mine'), recordedWork()))).toMatchObject({
		code: 'image.untrusted',
		message: expect.stringContaining('has a wrong signature'),
	});
	publisher.files.delete('/own/SHA256SUMS.gpg');
	expect((await failure(at('two').fetch(await at('two').resolve('mine'), recordedWork()))).message).toContain('404');
	publisher.put('own/SHA256SUMS', list);
	writeFileSync(path.join(config, 'images.yaml'), entry('/nowhere/keys.asc'));
	const unchecked = recordedWork();
	await at('three').fetch(await at('three').resolve('mine'), unchecked);
	expect(unchecked.lines).toEqual([
		expect.stringMatching(/SHA256SUMS was not checked: the publisher’s key is not installed/),
	]);
});

test('who cancels does not wait for a server that says nothing', async () => {
	const {store, publisher} = await setUp();
	const image = await store.resolve('debian');
	publisher.faults.set('/debian/SHA512SUMS', () => true);
	const work = recordedWork();
	const fetching = failure(store.fetch(image, work));
	await expect.poll(() => publisher.asked('debian/SHA512SUMS')).toBe(1);
	work.cancel();
	expect((await fetching).code).toBe('operation.cancelled');
});
