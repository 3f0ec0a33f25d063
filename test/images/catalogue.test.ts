import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {digestIn} from '../../source/images/catalogue/checksums.ts';
import {distributions} from '../../source/images/catalogue/distributions.ts';
import {distributionEntries} from '../../source/images/catalogue/fixed.ts';
import {compareVersions, readIndex, readProducts} from '../../source/images/catalogue/simplestreams.ts';
import {newestEntries, ubuntuRemotes} from '../../source/images/catalogue/ubuntu.ts';
import {parseUserFile, readUserFile} from '../../source/images/catalogue/user-file.ts';
import {temporaryDirectory} from './work.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);
const long = 'c'.repeat(128);

describe('checksum files', () => {
	test.each([
		['SHA256SUMS', `${b} *other.img\n${a} *disk.img\n`, a],
		['SHA512SUMS', `${long}  disk.img\n${long.replace('c', 'd')}  disk.img.xz\n`, long],
		['BSD', `# disk.img: 12 bytes\nSHA256 (disk.img) = ${a}\nSHA256 (other.img) = ${b}\n`, a],
		['Fedora', `# disk.img: 5 bytes\nSHA256 (./disk.img) = ${a.toUpperCase()}\n`, a],
		['bare digits', `${a}\n`, a],
		['of a link, under the name it leads to', `${a}  disk-Build7.3.img\n`, a],
		['with a directory', `${a}  ./images/disk.img\r\n`, a],
		['the same twice', `${a}  disk.img\n${a}  disk.img\n`, a],
		['two kinds', `SHA256 (disk.img) = ${a}\nSHA512 (disk.img) = ${long}\n`, long],
	])('%s', (_, text, hex) => {
		expect(digestIn(text, 'disk.img')?.hex).toBe(hex);
	});

	test.each([
		['another name, of several', `${a}  one.img\n${b}  two.img\n`],
		['two hashes for one name', `${a}  disk.img\n${b}  disk.img\n`],
		['a hash of another length', `${a.slice(1)}  disk.img\n`],
		['a kind that does not fit its length', `SHA512 (disk.img) = ${a}\n`],
		['a web page', '<html>disk.img</html>'],
		['nothing', ''],
	])('%s: nothing is taken', (_, text) => {
		expect(digestIn(text, 'disk.img')).toBeUndefined();
	});
});

describe('simplestreams', () => {
	const item = (more = {}) => ({ftype: 'disk1.img', path: 'server/disk.img', sha256: a, size: 5, ...more});
	const product = (versions: unknown, more = {}) => ({arch: 'amd64', versions, ...more});
	const read = (products: unknown) => readProducts(JSON.stringify({products}), 'x', 'amd64');

	test('the newest version is the first, also with a number behind the date', () => {
		const items = (sha256: string) => ({items: {x: item({sha256})}});
		const [found] = read({
			p: product({'20260101': items(a), '20260101.2': items(b), '20260101.10': items(a), '20251231': items(b)}),
		});
		expect(found?.versions.map(({version}) => version)).toEqual(['20260101.10', '20260101.2', '20260101', '20251231']);
		expect(compareVersions('current', '20260101')).toBeGreaterThan(0);
	});

	test('one bad product, version or item hides nothing else', () => {
		const good = {items: {x: item()}};
		const products = read({
			good: product({'1': good, '2': {items: 5}, '3': {items: {x: item({sha256: 'short'})}}, '4': null}),
			other: product({'1': good}, {arch: 'arm64'}),
			empty: product({}),
			nonsense: 7,
			odd: product({'1': good}, {aliases: 9}),
			'\u001B[2Jname': product({'1': good}, {release_title: '\u001B[31m24.04\nLTS'}),
		});
		expect(products.map(({id}) => id)).toEqual(['good', 'name']);
		expect(products[0]?.versions).toHaveLength(1);
		expect(products[1]?.title).toBe('24.04 LTS');
	});

	test.each(['/etc/passwd', '../up.img', 'a/../../b', 'https://evil.example/x', '//evil.example/x', 'file:x', 'a b'])(
		'a path such as %s is none',
		unsafe => {
			expect(read({p: product({'1': {items: {x: item({path: unsafe})}}})})).toEqual([]);
		},
	);

	test('the best disk of a version is taken', () => {
		const items = {a: item({ftype: 'img.xz'}), b: item({ftype: 'disk1.img', sha256: b}), c: item({ftype: 'squashfs'})};
		expect(read({p: product({'1': {items}})})[0]?.versions[0]?.sha256).toBe(b);
	});

	test('an index that is none is told', () => {
		expect(readIndex('{"index": {"a": {"datatype": "image-downloads", "path": "x/y.json"}, "b": 1}}', 'x')).toEqual([
			'x/y.json',
		]);
		for (const text of ['', '[]', '{"index": {}}', '<html>']) {
			expect(() => readIndex(text, 'x')).toThrow(/^The catalogue x /);
		}
	});
});

describe('what Ubuntu’s products are called', () => {
	const versions = [{version: '1', path: 'x.img', sha256: a, size: 5}];
	const product = (more: object) => ({
		id: 'p',
		aliases: [],
		os: 'ubuntu',
		release: '',
		codename: '',
		title: '',
		supported: true,
		versions,
		...more,
	});
	const names = (remote: string, products: readonly ReturnType<typeof product>[]) =>
		newestEntries(ubuntuRemotes.find(({name}) => name === remote)!, products, below => `https://x/${below}`).map(
			({name, aliases, os, release}) => [name, aliases, `${os} ${release}`],
		);

	test('releases by their number, Ubuntu Core by core and its number', () => {
		expect(names('release', [product({title: '24.04 LTS', release: 'noble', aliases: ['24.04', 'lts', 'n']})])).toEqual(
			[['24.04', ['lts', 'n', 'ubuntu', 'noble'], 'Ubuntu 24.04 LTS']],
		);
		expect(names('core', [product({os: 'ubuntu-core', title: '24 stable', release: '24', aliases: ['24']})])).toEqual([
			['core24', [], 'Ubuntu Core 24'],
		]);
	});

	test('the newest LTS that is cared for is the default, also where no product says so', () => {
		const found = names('release', [
			product({title: '22.04 LTS', release: 'jammy'}),
			product({title: '26.10', release: 'stork'}),
			product({title: '28.04 LTS', release: 'z', supported: false}),
			product({title: '24.04 LTS', release: 'noble'}),
		]);
		expect(found.filter(([, aliases]) => aliases?.includes('default'))).toEqual([
			['24.04', ['default', 'lts', 'ubuntu', 'noble'], 'Ubuntu 24.04 LTS'],
		]);
	});
});

describe('the list of distributions', () => {
	test.each(['amd64', 'arm64'])('is sound for %s', architecture => {
		const entries = distributionEntries(architecture);
		const names = entries.flatMap(({name, aliases}) => [name, ...aliases]);
		expect(new Set(names).size).toBe(names.length);
		for (const {url, checksum, user, name} of entries) {
			expect(url, name).toMatch(/^https:\/\/[a-z.-]+\/[\w./-]+\.qcow2$/);
			expect('url' in checksum && checksum.url, name).toMatch(/^https:\/\/[a-z.-]+\/[\w./-]+$/);
			expect(new URL(url).host).toBe('url' in checksum && new URL(checksum.url).host);
			expect(user).toMatch(/^[a-z]+$/);
		}
	});

	test('has what it is said to have', () => {
		const names = distributionEntries('amd64').flatMap(({name, aliases}) => [name, ...aliases]);
		for (const name of ['debian', 'bookworm', 'fedora', 'almalinux', 'rocky', 'opensuse', 'arch', 'alpine']) {
			expect(names).toContain(name);
		}
		expect(distributionEntries('s390x')).toEqual([]);
		expect(distributions.length).toBe(distributionEntries('amd64').length);
	});
});

describe('a user’s own list', () => {
	const image = (more = '') => `
  - name: mine
    aliases: [own]
    os: Debian
    release: "13"
    user: debian
    memory: 512M
    amd64:
      url: https://host.example/mine.qcow2
      checksum: sha256:${a}
${more}`;

	test('is read, as YAML and as JSON', async () => {
		const {entries, problems} = await parseUserFile(`images:${image()}`, 'images.yaml', 'amd64');
		expect(problems).toEqual([]);
		expect(entries).toEqual([
			{
				remote: '',
				name: 'mine',
				aliases: ['own'],
				os: 'Debian',
				release: '13',
				version: 'latest',
				user: 'debian',
				supported: true,
				url: 'https://host.example/mine.qcow2',
				checksum: {algorithm: 'sha256', hex: a},
				memoryMinimum: 512 * 2 ** 20,
			},
		]);
		const file = {
			images: [
				{
					name: 'other',
					user: 'me',
					arm64: {
						url: 'https://host.example/o.img.xz',
						'checksum-file': 'https://host.example/SHA256SUMS',
						signature: 'https://host.example/SHA256SUMS.gpg',
						keyring: '/etc/keys.gpg',
					},
				},
			],
		};
		const json = await parseUserFile(JSON.stringify(file), 'images.json', 'arm64');
		expect(json).toMatchObject({
			problems: [],
			entries: [{name: 'other', checksum: {signing: {kind: 'detached', keyrings: ['/etc/keys.gpg']}}}],
		});
		expect((await parseUserFile(JSON.stringify(file), 'images.json', 'amd64')).entries).toEqual([]);
	});

	test.each([
		[
			'images:\n  - name: a b\n    user: x\n',
			'images.yaml, line 2: images[0].name must be letters, digits, dots, hyphens.',
		],
		['images:\n\n  - user: x\n', 'images.yaml, line 3: images[0].name is missing.'],
		['images:\n  - name: micro\n    user: x\n', 'line 2: images[0].name is a name that stands for another image.'],
		['images:\n  - name: a\n    user: x\n    colour: red\n', 'line 4: images[0].colour is not known.'],
		['images:\n  - name: a\n    user: x\n    memory: much\n', 'line 4: images[0].memory must be a size, such as 512M.'],
		[
			'images:\n  - name: a\n    user: x\n    amd64:\n      url: http://host/x\n      checksum: x\n',
			'line 5: images[0].amd64.url must be an https:// address.',
		],
		[
			`images:\n  - name: a\n    user: x\n    amd64:\n      url: https://host/x\n      checksum: md5:${a}\n`,
			'line 6: images[0].amd64.checksum must be sha256:… or sha512:….',
		],
		[
			'images:\n  - name: a\n    user: x\n    amd64:\n      url: https://host/x\n',
			'line 5: images[0].amd64 needs one of checksum and checksum-file.',
		],
		['images:\n  - five\n', 'line 2: images[0] must be a map of keys and values.'],
		['images: 5\n', 'line 1: it must have a list called images.'],
		['', 'line 1: it must have a list called images.'],
		['images: [\n  {name: "a"\n', 'images.yaml, line 3: '],
	])('what is wrong in it is told with its line: %j', async (text, problem) => {
		const {problems} = await parseUserFile(text, 'images.yaml', 'amd64');
		expect(problems).toHaveLength(1);
		expect(problems[0]).toContain(problem);
	});

	test('one that is wrong does not hide the others; a name twice is told', async () => {
		const {entries, problems} = await parseUserFile(
			`images:\n  - name: bad name\n    user: x${image()}${image().replace('aliases: [own]', '')}`,
			'images.yaml',
			'amd64',
		);
		expect(entries.map(({name}) => name)).toEqual(['mine']);
		expect(problems).toEqual([
			expect.stringContaining('line 2: images[0].name'),
			expect.stringMatching(/line \d+: the name mine is there twice\.$/),
		]);
	});

	test('is looked for in the config directory', async () => {
		const directory = temporaryDirectory();
		expect(await readUserFile(directory, 'amd64')).toEqual({entries: [], problems: []});
		writeFileSync(path.join(directory, 'images.json'), '{"images": []}');
		expect(await readUserFile(directory, 'amd64')).toEqual({entries: [], problems: []});
		writeFileSync(path.join(directory, 'images.yaml'), `images:${image()}`);
		expect((await readUserFile(directory, 'amd64')).entries).toHaveLength(1);
		mkdirSync(path.join(directory, 'odd', 'images.yaml'), {recursive: true});
		expect((await readUserFile(path.join(directory, 'odd'), 'amd64')).problems).toEqual([
			expect.stringMatching(/^images\.yaml cannot be read: it is a directory\./),
		]);
		const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
		for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe'].map(pair => [pair[0], pair[1]])) {
			bomb.push(`${name}: &${name} [${Array.from({length: 9}, () => `*${before}`).join(', ')}]`);
		}
		writeFileSync(path.join(directory, 'images.yaml'), `${bomb.join('\n')}\nimages: *f\n`);
		expect((await readUserFile(directory, 'amd64')).problems).toEqual([
			expect.stringMatching(/^images\.yaml cannot be read: Excessive alias count/),
		]);
		expect(existsSync(directory)).toBe(true);
	});
});
