import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {Readable, Writable} from 'node:stream';
import {describe, expect, onTestFinished, test} from 'vitest';
import {SftpClient} from '../../../source/guest/sftp/client.ts';
import {filesOf} from '../../../source/guest/sftp/files.ts';
import {types, Writer} from '../../../source/guest/sftp/packets.ts';
import {type Manners, SftpServer} from '../../support/sftp-server.ts';

async function both(manners: Manners = {}) {
	const home = mkdtempSync(path.join(tmpdir(), 'drover-sftp-'));
	onTestFinished(() => rmSync(home, {recursive: true}));
	const [guest, host] = [path.join(home, 'guest'), path.join(home, 'host')];
	mkdirSync(guest);
	mkdirSync(host);
	const server = new SftpServer(guest, manners);
	const files = filesOf(await SftpClient.open(server));
	onTestFinished(() => files.close());
	const on = (name: string) => path.join(host, name);
	const inGuest = (name: string) => path.join(guest, name);
	return {server, files, host, guest, on, inGuest};
}

/** More than all that can be under way at once, and no multiple of a request's size. */
const big = Buffer.from(Array.from({length: 3_000_001}, (_, index) => (index * 7 + (index >> 9)) % 251));
/** What shells, globs, batch files and column parsers stumble over. */
const odd = ['-rf', 'a b', "it's", '"q"', '$HOME', '*?[x]{a,b}', 'a\nb', 'web:x', '~', 'ä€𝄞', 'back\\slash', '%s'];

describe('push', () => {
	test('a file of any size, whole, with its permissions', async () => {
		const {files, on, inGuest, server} = await both();
		for (const [name, content] of [
			['empty', ''],
			['small', 'x'],
			['big', big],
		] as const) {
			writeFileSync(on(name), content, {mode: 0o755});
			await files.push(on(name), name);
			expect(readFileSync(inGuest(name)).equals(Buffer.from(content))).toBe(true);
			expect(statSync(inGuest(name)).mode & 0o777).toBe(0o755);
		}
		// What was longer is cut.
		await files.push(on('small'), 'big');
		expect(readFileSync(inGuest('big'), 'utf8')).toBe('x');
		expect(server.openHandles).toBe(0);
	});

	test.each(odd)('to a name like %j', async name => {
		const {files, on, guest} = await both();
		writeFileSync(on(name), name);
		await files.push(on(name), '');
		expect(readdirSync(guest)).toEqual([name]);
		await files.pull(name, on('back'));
		expect(readFileSync(on('back'), 'utf8')).toBe(name);
	});

	test('into a directory that is there, as what is not there, and below what is made', async () => {
		const {files, on, inGuest} = await both();
		writeFileSync(on('a'), 'a');
		mkdirSync(inGuest('there'));
		await files.push(on('a'), 'there');
		expect(readFileSync(inGuest('there/a'), 'utf8')).toBe('a');
		await expect(files.push(on('a'), 'no/such/b')).rejects.toMatchObject({
			code: 'guest.failed',
			message: 'no/such/b in the guest: there is no such file or directory.',
		});
		await files.push(on('a'), 'no/such/b', {parents: true});
		expect(readFileSync(inGuest('no/such/b'), 'utf8')).toBe('a');
		await files.push(on('a'), '/abs/olute/b', {parents: true});
		expect(readFileSync(inGuest('abs/olute/b'), 'utf8')).toBe('a');
	});

	test('one of several needs a directory', async () => {
		const {files, on, inGuest} = await both();
		writeFileSync(on('a'), 'a');
		await expect(files.push(on('a'), 'all', {into: true})).rejects.toMatchObject({code: 'guest.failed'});
		expect(existsSync(inGuest('all'))).toBe(false);
		await files.push(on('a'), 'all', {into: true, parents: true});
		await files.push(on('a'), 'all', {into: true});
		expect(readdirSync(inGuest('all'))).toEqual(['a']);
		await expect(files.push(on('a'), 'all/a', {into: true, parents: true})).rejects.toMatchObject({
			message: 'all/a in the guest is not a directory.',
		});
	});

	test('a tree, with its links as links; again over itself', async () => {
		const {files, on, inGuest} = await both();
		mkdirSync(on('tree/sub/empty'), {recursive: true});
		writeFileSync(on('tree/sub/file'), 'x', {mode: 0o600});
		symlinkSync('sub/file', on('tree/link'));
		symlinkSync(on('tree'), on('way'));
		await expect(files.push(on('tree'), 'copy')).rejects.toMatchObject({code: 'usage.invalid'});
		for (const source of ['tree', 'way']) {
			await files.push(on(source), 'copy', {recursive: true});
			rmSync(inGuest('copy/tree'), {recursive: true, force: true});
		}
		expect(readdirSync(inGuest('copy')).sort()).toEqual(['link', 'sub', 'way']);
		expect(readlinkSync(inGuest('copy/link'))).toBe('sub/file');
		expect(readdirSync(inGuest('copy/sub/empty'))).toEqual([]);
		expect(statSync(inGuest('copy/sub/file')).mode & 0o777).toBe(0o600);
		await files.push(on('tree'), '', {recursive: true});
		await files.push(on('tree'), '', {recursive: true});
		expect(readdirSync(inGuest('tree')).sort()).toEqual(['link', 'sub']);
	});

	test('what cannot be copied of a tree keeps nothing else back, and is told', async () => {
		const {files, on, inGuest} = await both();
		mkdirSync(on('tree/in-the-way'), {recursive: true});
		for (const name of ['a', 'z']) writeFileSync(on(`tree/${name}`), name);
		mkdirSync(inGuest('copy'));
		mkdirSync(inGuest('copy/tree'));
		mkdirSync(inGuest('copy/tree/a'));
		writeFileSync(inGuest('copy/tree/in-the-way'), '');
		await expect(files.push(on('tree'), 'copy', {recursive: true})).rejects.toMatchObject({
			code: 'guest.failed',
			message: expect.stringMatching(/^Not all could be copied: copy\/tree\/a in the guest: .* \(and 1 more\)$/),
		});
		expect(readFileSync(inGuest('copy/tree/z'), 'utf8')).toBe('z');
	});

	test('a stream cannot become a directory, and that is said', async () => {
		const {files} = await both();
		await expect(files.push(Readable.from(['x']), '')).rejects.toMatchObject({
			code: 'guest.failed',
			message: expect.stringMatching(/ in the guest is a directory, and what is piped has no name\.$/),
			next: 'Write the name of a file after it.',
		});
	});

	test('a stream, and how far it is', async () => {
		const {files, inGuest} = await both();
		let bytes = 0;
		const stream = Readable.from([big.subarray(0, 1_000_000), big.subarray(1_000_000)]);
		await files.push(stream, 'new/stream', {parents: true, onBytes: count => (bytes += count)});
		expect(readFileSync(inGuest('new/stream')).equals(big)).toBe(true);
		expect(bytes).toBe(big.length);
		const broken = Readable.from(
			(async function* () {
				yield Buffer.from('x');
				throw new Error('torn');
			})(),
		);
		await expect(files.push(broken, 'torn')).rejects.toThrow('torn');
	});

	test('a source that cannot be read leaves nothing in the guest', async () => {
		const {files, on, guest} = await both();
		await expect(files.push(on('nothing'), 'x')).rejects.toMatchObject({code: 'host.failed'});
		expect(readdirSync(guest)).toEqual([]);
	});
});

describe('pull', () => {
	test('a file of any size, also from a server that gives less than it is asked for', async () => {
		for (const manners of [{}, {mostRead: 1000}, {mostRead: 20_000}]) {
			const {files, on, inGuest, server} = await both(manners);
			for (const [name, content] of [
				['empty', ''],
				['small', 'x'],
				['big', big.subarray(0, 400_001)],
			] as const) {
				writeFileSync(inGuest(name), content, {mode: 0o750});
				await files.pull(name, on(name));
				expect(readFileSync(on(name)).equals(Buffer.from(content))).toBe(true);
				expect(statSync(on(name)).mode & 0o777).toBe(0o750);
			}
			expect(server.openHandles).toBe(0);
		}
	});

	test('a file that tells no size is read to its end', async () => {
		const {files, on, inGuest} = await both({
			instead: (type, id) =>
				type === types.stat
					? new Writer(types.attributes)
							.number(id)
							.number(1 | 4)
							.offset(0)
							.number(0o100644)
							.end()
					: undefined,
		});
		writeFileSync(inGuest('proc'), big.subarray(0, 200_000));
		await files.pull('proc', on('proc'));
		expect(statSync(on('proc')).size).toBe(200_000);
	});

	test('into a directory under its own name, also when it is called by another', async () => {
		const {files, host, on, inGuest} = await both();
		mkdirSync(inGuest('tree/sub'), {recursive: true});
		writeFileSync(inGuest('tree/sub/file'), 'x');
		await files.pull('tree/sub/../sub/.', host, {recursive: true});
		expect(readFileSync(on('sub/file'), 'utf8')).toBe('x');
		await files.pull('tree', on('deep/er'), {recursive: true, parents: true});
		expect(readFileSync(on('deep/er/sub/file'), 'utf8')).toBe('x');
		await expect(files.pull('tree', on('x'))).rejects.toMatchObject({code: 'usage.invalid'});
		await expect(files.pull('none', on('x'))).rejects.toMatchObject({
			message: 'none in the guest: there is no such file or directory.',
		});
		await expect(files.pull('tree/sub/file', on('no/x'))).rejects.toMatchObject({code: 'host.failed'});
		await expect(files.pull('tree/sub/file', on('no'), {into: true})).rejects.toMatchObject({code: 'host.failed'});
	});

	test('to a stream', async () => {
		const {files, inGuest} = await both();
		writeFileSync(inGuest('big'), big);
		const parts: Buffer[] = [];
		const slow = new Writable({
			highWaterMark: 10_000,
			write(chunk, _encoding, done) {
				parts.push(chunk);
				setImmediate(done);
			},
		});
		await files.pull('big', slow);
		expect(Buffer.concat(parts).equals(big)).toBe(true);
		await expect(files.pull('.', slow)).rejects.toMatchObject({code: 'usage.invalid'});
	});

	const [file, link, directory] = [0o100644, 0o120777, 0o040755];

	test.each<[string, NonNullable<Manners['names']>]>([
		['leads up', [{name: '../evil', mode: file}]],
		['leads elsewhere', [{name: '/tmp/evil', mode: file}]],
		['is no text', [{name: Buffer.from([0xff, 0xfe]), mode: file}]],
		[
			'comes twice, first as a link',
			[
				{name: 'x', mode: link},
				{name: 'x', mode: file},
			],
		],
	])('a name of the guest’s that %s is not used', async (_what, names) => {
		const {files, on, host, inGuest} = await both({names});
		mkdirSync(on('outside'));
		symlinkSync(on('outside'), inGuest('x'));
		await expect(files.pull('.', on('copy'), {recursive: true})).rejects.toMatchObject({
			code: 'guest.failed',
			message: expect.stringMatching(/has a name that cannot be used/),
		});
		expect(readdirSync(host).sort()).toEqual(['copy', 'outside']);
		expect(readdirSync(on('outside'))).toEqual([]);
	});

	test('nothing is written through a link that an earlier copy has brought', async () => {
		const {files, on, inGuest} = await both();
		writeFileSync(on('precious'), 'mine');
		mkdirSync(on('outside'));
		mkdirSync(inGuest('tree'));
		symlinkSync(on('precious'), inGuest('tree/file'));
		symlinkSync(on('outside'), inGuest('tree/sub'));
		await files.pull('tree', on('copy'), {recursive: true});
		expect(lstatSync(on('copy/file')).isSymbolicLink()).toBe(true);

		rmSync(inGuest('tree'), {recursive: true});
		mkdirSync(inGuest('tree/sub'), {recursive: true});
		writeFileSync(inGuest('tree/file'), 'theirs');
		writeFileSync(inGuest('tree/sub/evil'), 'theirs');
		await expect(files.pull('tree/.', on('copy'), {recursive: true})).resolves.toBeUndefined();
		// It goes into the directory; the same again, over what the first copy was.
		rmSync(on('copy/tree'), {recursive: true});
		mkdirSync(on('over'));
		symlinkSync(on('precious'), on('over/file'));
		mkdirSync(on('over/tree'));
		symlinkSync(on('precious'), on('over/tree/file'));
		symlinkSync(on('outside'), on('over/tree/sub'));
		await expect(files.pull('tree', on('over'), {recursive: true})).rejects.toMatchObject({
			message: expect.stringMatching(/is there already, and is something else/),
		});
		expect(readFileSync(on('over/tree/file'), 'utf8')).toBe('theirs');
		expect(lstatSync(on('over/tree/file')).isSymbolicLink()).toBe(false);
		expect(readFileSync(on('precious'), 'utf8')).toBe('mine');
		expect(readdirSync(on('outside'))).toEqual([]);
	});

	test('set-uid bits stay in the guest', async () => {
		const {files, on, inGuest} = await both();
		writeFileSync(inGuest('su'), '');
		chmodSync(inGuest('su'), 0o4755);
		await files.pull('su', on('su'));
		expect(statSync(on('su')).mode & 0o7777).toBe(0o755);
		expect(directory).toBe(0o040755);
	});
});

describe('what comes is not what was asked for', () => {
	test.each<[string, (id: number) => Buffer]>([
		['an answer of another kind', id => new Writer(types.handle).number(id).bytes('h').end()],
		['a message cut short', id => new Writer(types.attributes).number(id).number(1).end()],
		['an answer to no question', id => new Writer(types.attributes).number(id + 99).end()],
		['a message without end', () => Buffer.from([0x7f, 0xff, 0xff, 0xff, 1])],
		['words', () => Buffer.from('Welcome to web!\r\n')],
	])('%s ends it with a sentence', async (_what, answer) => {
		const {files, on} = await both({instead: (type, id) => (type === types.stat ? answer(id) : undefined)});
		await expect(files.pull('x', on('x'))).rejects.toMatchObject({
			code: 'guest.failed',
			message: 'What answers in the guest does not speak SFTP.',
		});
	});

	test('a line that is cut ends all that is under way, and what comes after', async () => {
		const {files, on, inGuest, server} = await both({
			instead: type => {
				if (type === types.read) server.close();
				return undefined;
			},
		});
		writeFileSync(inGuest('big'), big);
		const cut = {code: 'guest.unanswered', message: 'The connection to web ended.'};
		await expect(files.pull('big', on('big'))).rejects.toMatchObject(cut);
		await expect(files.push(on('big'), 'again')).rejects.toMatchObject(cut);
	});

	test('a server that reads nothing but empty pieces does not hold one for ever', async () => {
		const {files, on, inGuest} = await both({
			instead: (type, id) => (type === types.read ? new Writer(types.data).number(id).bytes('').end() : undefined),
		});
		writeFileSync(inGuest('x'), 'x');
		await files.pull('x', on('x'));
		expect(readFileSync(on('x'), 'utf8')).toBe('');
	});
});
