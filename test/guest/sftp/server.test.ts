import {execFileSync} from 'node:child_process';
import {
	chmodSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	statfsSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {Readable} from 'node:stream';
import {describe, expect, test} from 'vitest';
import {SftpClient} from '../../../source/guest/sftp/client.ts';
import {filesOf} from '../../../source/guest/sftp/files.ts';
import {attributeFlags, Malformed, openFlags, statuses, types, Writer} from '../../../source/guest/sftp/packets.ts';
import {namesIn} from '../../../source/guest/sftp/server/fence.ts';
import {servedDirectory} from '../../support/served-directory.ts';

const {ok, missing, denied, failure, unsupported} = statuses;
const isRoot = process.getuid?.() === 0;

describe('files', () => {
	test('go both ways, whole, with their permissions, through a client that pipelines', async () => {
		const {source, outside, channel} = servedDirectory();
		const files = filesOf(await SftpClient.open(channel));
		const big = Buffer.from(Array.from({length: 3_000_001}, (_, index) => (index * 7 + (index >> 9)) % 251));
		await files.push(Readable.from([big.subarray(0, 70_000), big.subarray(70_000)]), 'big');
		expect(readFileSync(path.join(source, 'big')).equals(big)).toBe(true);
		writeFileSync(path.join(outside, 'script'), '#!/bin/sh\n', {mode: 0o755});
		await files.push(path.join(outside, 'script'), 'script');
		expect(statSync(path.join(source, 'script')).mode & 0o777).toBe(0o755);
		mkdirSync(path.join(source, 'tree/deep'), {recursive: true});
		writeFileSync(path.join(source, 'tree/deep/a\nb'), 'x');
		await files.pull('tree', path.join(outside, 'copy'), {recursive: true});
		expect(readFileSync(path.join(outside, 'copy/deep/a\nb'), 'utf8')).toBe('x');
		await files.pull('big', path.join(outside, 'back'));
		expect(readFileSync(path.join(outside, 'back')).equals(big)).toBe(true);
		await files.close();
	});

	test('are opened as the guest says', async () => {
		const {source, raw} = servedDirectory();
		const {read, write, create, truncate, append, exclusive} = openFlags;
		expect(await raw.open('/a', read)).toBe(missing);
		expect(await raw.open('/a', write)).toBe(missing);
		expect(await raw.write('/a', 'hello', write | create)).toBe(ok);
		expect(await raw.write('/a', 'j', write)).toBe(ok);
		expect(readFileSync(path.join(source, 'a'), 'utf8')).toBe('jello');
		expect(await raw.open('/a', write | create | exclusive)).toBe(failure);
		expect(await raw.write('/a', '!', write | append)).toBe(ok);
		expect(readFileSync(path.join(source, 'a'), 'utf8')).toBe('jello!');
		expect(await raw.write('/a', 'x', write | create | truncate)).toBe(ok);
		expect(readFileSync(path.join(source, 'a'), 'utf8')).toBe('x');
		const handle = (await raw.open('/a', read | write)) as Buffer;
		const at = await raw.ask(types.read, writer => writer.bytes(handle).offset(1).number(10));
		expect(at.status).toBe(statuses.end);
		expect((await raw.ask(types.fstat, writer => writer.bytes(handle))).reader.rawAttributes().size).toBe(1n);
		const far = await raw.ask(types.read, writer =>
			writer
				.bytes(handle)
				.offset(2n ** 63n)
				.number(10),
		);
		expect(far.status).toBe(failure);
		expect((await raw.about(types.close, handle)).status).toBe(ok);
		expect((await raw.about(types.close, handle)).status).toBe(missing);
		expect((await raw.about(types.readdir, Buffer.from('no'))).status).toBe(missing);
	});

	test('what is no file is not opened: a pipe would hold the server, a device does things', async () => {
		const {source, raw} = servedDirectory();
		execFileSync('mkfifo', [path.join(source, 'pipe')]);
		mkdirSync(path.join(source, 'directory'));
		symlinkSync('/dev/null', path.join(source, 'link'));
		for (const flags of [openFlags.read, openFlags.write, openFlags.write | openFlags.create]) {
			expect(await raw.open('/pipe', flags)).toBe(failure);
			expect(await raw.open('/directory', flags)).toBe(failure);
			expect(await raw.open('/link', flags)).toBe(missing);
		}
	});

	test('so many are open at once and no more; the end lets go of all', async () => {
		const {source, raw, service} = servedDirectory();
		writeFileSync(path.join(source, 'a'), '');
		const before = readdirSync('/proc/self/fd').length;
		const opened = await Promise.all(Array.from({length: 2500}, () => raw.open('/a', openFlags.read)));
		expect(opened.filter(handle => typeof handle !== 'number')).toHaveLength(2000);
		expect(opened.slice(2000)).toEqual(Array.from({length: 500}, () => failure));
		service.close();
		await service.ended;
		expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
	});
});

describe('directories and links', () => {
	test('are made, listed, moved and removed', async () => {
		const {source, raw} = servedDirectory();
		const mkdir = (name: string, mode = 0o755) =>
			raw.ask(types.mkdir, writer => writer.bytes(name).number(attributeFlags.mode).number(mode));
		expect((await mkdir('/d')).status).toBe(ok);
		expect((await mkdir('/d')).status).toBe(failure);
		expect((await mkdir('/no/d')).status).toBe(missing);
		for (let index = 0; index < 300; index++) writeFileSync(path.join(source, 'd', `f${index}`), '');
		expect(((await raw.list('/d')) as Buffer[]).map(String).sort()).toEqual(readdirSync(path.join(source, 'd')).sort());
		expect((await raw.about(types.rmdir, '/d')).status).toBe(failure);
		expect((await raw.about(types.rmdir, '/')).status).toBe(failure);
		expect((await raw.about(types.remove, '/d')).status).not.toBe(ok);
		rmSync(path.join(source, 'd'), {recursive: true});
		await mkdir('/d');
		expect((await raw.about(types.rmdir, '/d')).status).toBe(ok);
		expect(readdirSync(source)).toEqual([]);
	});

	test('a rename replaces only where it says so', async () => {
		const {source, raw} = servedDirectory();
		writeFileSync(path.join(source, 'a'), 'a');
		writeFileSync(path.join(source, 'b'), 'b');
		const plain = (from: string, to: string) => raw.ask(types.rename, writer => writer.bytes(from).bytes(to));
		const extended = (name: string, from: string, to: string) =>
			raw.ask(types.extended, writer => writer.bytes(name).bytes(from).bytes(to));
		expect((await plain('/a', '/b')).status).toBe(failure);
		expect((await plain('/a', '/c')).status).toBe(ok);
		expect((await extended('posix-rename@openssh.com', '/c', '/b')).status).toBe(ok);
		expect(readFileSync(path.join(source, 'b'), 'utf8')).toBe('a');
		expect((await extended('posix-rename@openssh.com', '/', '/b')).status).toBe(failure);
		expect((await extended('hardlink@openssh.com', '/b', '/e')).status).toBe(ok);
		expect(statSync(path.join(source, 'e')).nlink).toBe(2);
		expect((await extended('no-such@openssh.com', '/b', '/e')).status).toBe(unsupported);
		expect((await extended('toString', '/b', '/e')).status).toBe(unsupported);
	});

	test('links are text: read and made as they are, never followed', async () => {
		const {source, outside, raw} = servedDirectory();
		writeFileSync(path.join(outside, 'secret'), 'secret');
		const link = (text: string, at: string) => raw.ask(types.symlink, writer => writer.bytes(text).bytes(at));
		expect((await link('../outside', '/out')).status).toBe(ok);
		expect((await link('/etc/passwd', '/abs')).status).toBe(ok);
		expect((await link('', '/empty')).status).toBe(failure);
		expect(readlinkSync(path.join(source, 'out'))).toBe('../outside');
		const answer = await raw.about(types.readlink, '/abs');
		expect([answer.reader.number(), answer.reader.text()]).toEqual([1, '/etc/passwd']);
		expect((await raw.attributes('/out')).mode! & 0o170000).toBe(0o120000);
		expect((await raw.attributes('/out', types.stat)).mode! & 0o170000).toBe(0o120000);
		expect(await raw.read('/out/secret')).toBe(missing);
		expect(await raw.list('/out')).toBe(missing);
		expect(await raw.write('/abs', 'x')).toBe(missing);
		expect(await raw.write('/out/new', 'x')).toBe(missing);
		expect(readdirSync(outside)).toEqual(['secret']);
	});

	test('names are bytes', async () => {
		const {source, raw} = servedDirectory();
		const name = Buffer.from([0x61, 0xff, 0xfe, 0x0a, 0x62]);
		expect(await raw.write(Buffer.concat([Buffer.from('/'), name]), 'x')).toBe(ok);
		expect(readdirSync(source, {encoding: 'buffer'})).toEqual([name]);
		expect(await raw.list('/')).toEqual([name]);
		expect((await raw.about(types.remove, Buffer.concat([Buffer.from('/'), name]))).status).toBe(ok);
		expect(await raw.write('/a\0b', 'x')).toBe(failure);
		expect(await raw.write(`/${'x'.repeat(300)}`, 'x')).toBe(failure);
		expect(await raw.write(`/${'x/'.repeat(3000)}`, 'x')).toBe(failure);
	});

	test('paths have no way up', () => {
		const plain = (text: string) => namesIn(Buffer.from(text)).join('/');
		expect(plain('/../../a/./b//../c')).toBe('a/c');
		expect(plain('../..')).toBe('');
		expect(plain('')).toBe('');
	});
});

describe('attributes', () => {
	const change = (writer: Writer, flags: number, ...numbers: number[]) => {
		writer.number(flags);
		for (const number of numbers) writer.number(number);
		return writer;
	};

	test('size, times and permissions follow; nothing comes to run as its owner', async () => {
		const {source, raw} = servedDirectory();
		const file = path.join(source, 'a');
		writeFileSync(file, 'hello');
		const set = (name: string, flags: number, ...numbers: number[]) =>
			raw.ask(types.setstat, writer => change(writer.bytes(name), flags, ...numbers));
		expect((await set('/a', attributeFlags.mode, 0o6751)).status).toBe(ok);
		expect(statSync(file).mode & 0o7777).toBe(0o751);
		expect((await set('/a', attributeFlags.times, 1000, 2000)).status).toBe(ok);
		expect(statSync(file).mtimeMs).toBe(2_000_000);
		expect((await set('/a', attributeFlags.size, 0, 2)).status).toBe(ok);
		expect(readFileSync(file, 'utf8')).toBe('he');
		expect((await set('/a', attributeFlags.size, 0xff_ff_ff_ff, 2)).status).toBe(failure);
		const handle = await raw.open('/made', openFlags.write | openFlags.create, 0o4711);
		expect(statSync(path.join(source, 'made')).mode & 0o7777).toBe(0o711 & ~process.umask());
		await raw.ask(types.fsetstat, writer => change(writer.bytes(handle as Buffer), attributeFlags.mode, 0o4700));
		expect(statSync(path.join(source, 'made')).mode & 0o7777).toBe(0o700);
		mkdirSync(path.join(source, 'd'));
		expect((await set('/d', attributeFlags.mode, 0o2775)).status).toBe(ok);
		expect(statSync(path.join(source, 'd')).mode & 0o7777).toBe(0o2775);
	});

	test('of a link are its own', async () => {
		const {source, outside, raw} = servedDirectory();
		const file = path.join(outside, 'a');
		writeFileSync(file, 'hello', {mode: 0o600});
		symlinkSync(file, path.join(source, 'link'));
		const before = statSync(file);
		for (const [flags, ...numbers] of [
			[attributeFlags.mode, 0o777],
			[attributeFlags.times, 1000, 2000],
			[attributeFlags.size, 0, 0],
			[attributeFlags.owner, 1000, 1000],
		] as const) {
			await raw.ask(types.setstat, writer => change(writer.bytes('/link'), flags, ...numbers));
		}
		const after = statSync(file);
		expect([after.mode, after.mtimeMs, after.size, after.uid]).toEqual([
			before.mode,
			before.mtimeMs,
			before.size,
			before.uid,
		]);
		expect(lstatSync(path.join(source, 'link')).mtimeMs).toBe(2_000_000);
	});

	test('owners are mapped; those the guest does not know are nobody', async () => {
		const own = process.getuid!();
		const {source, raw} = servedDirectory({uids: [{host: own + 7, guest: 1000}], gids: []});
		writeFileSync(path.join(source, 'a'), '');
		expect((await raw.attributes('/a')).owner).toEqual({uid: 65_534, gid: 65_534});
		const owner = (uid: number, gid: number) =>
			raw.ask(types.setstat, writer => change(writer.bytes('/a'), attributeFlags.owner, uid, gid));
		// As it is, it may stay.
		expect((await owner(65_534, 65_534)).status).toBe(ok);
		expect((await owner(0xff_ff_ff_ff, 0xff_ff_ff_ff)).status).toBe(ok);
		expect((await owner(0, 0xff_ff_ff_ff)).status).toBe(denied);
		expect((await owner(1, 1)).status).toBe(denied);
		expect(statSync(path.join(source, 'a')).uid).toBe(own);
	});

	test.runIf(isRoot)('what root makes for a guest belongs to whom the map names', async () => {
		const {source, raw} = servedDirectory({
			uids: [
				{host: 1234, guest: 1000},
				{host: 1235, guest: 1001},
			],
			gids: [{host: 4321, guest: 1000}],
		});
		await raw.write('/a', 'x');
		await raw.ask(types.mkdir, writer => writer.bytes('/d').number(0));
		await raw.ask(types.symlink, writer => writer.bytes('a').bytes('/l'));
		for (const name of ['a', 'd', 'l']) {
			expect(lstatSync(path.join(source, name))).toMatchObject({uid: 1234, gid: 4321});
			expect((await raw.attributes(`/${name}`)).owner).toEqual({uid: 1000, gid: 1000});
		}
		const owner = (uid: number) =>
			raw.ask(types.setstat, writer => change(writer.bytes('/a'), attributeFlags.owner, uid, 0xff_ff_ff_ff));
		expect((await owner(1001)).status).toBe(ok);
		expect(lstatSync(path.join(source, 'a')).uid).toBe(1235);
		expect((await owner(0)).status).toBe(denied);
	});

	test('the file system tells its size', async () => {
		const {source, raw} = servedDirectory();
		const answer = await raw.ask(types.extended, writer => writer.bytes('statvfs@openssh.com').bytes('/'));
		expect(answer.type).toBe(types.extendedReply);
		const [size, , blocks] = [answer.reader.long(), answer.reader.long(), answer.reader.long()];
		const found = statfsSync(source);
		expect([Number(size), Number(blocks)]).toEqual([found.bsize, found.blocks]);
	});
});

describe('the source', () => {
	test('may go and come again while it is served', async () => {
		const {source, raw, fence} = servedDirectory();
		writeFileSync(path.join(source, 'a'), 'first');
		expect(fence.refresh()).toBeUndefined();
		rmSync(source, {recursive: true});
		expect(await raw.read('/a')).toBe(missing);
		expect(fence.refresh()).toBe('is gone');
		expect(fence.isOpen).toBe(false);
		expect((await raw.about(types.lstat, '/')).status).toBe(missing);
		mkdirSync(source);
		writeFileSync(path.join(source, 'a'), 'second');
		expect(fence.refresh()).toBeUndefined();
		expect(String(await raw.read('/a'))).toBe('second');
	});

	test('a link in its place does not lead there', async () => {
		const {source, outside, raw, fence} = servedDirectory();
		writeFileSync(path.join(outside, 'a'), 'secret');
		renameSync(source, `${source}-away`);
		symlinkSync(outside, source);
		expect(fence.refresh()).toMatch(/no directory any more/);
		expect(await raw.read('/a')).toBe(missing);
	});
});

describe('what is not SFTP', () => {
	test.each([
		['a message without end', Buffer.from([0xff, 0xff, 0xff, 0xff])],
		['an empty message', Buffer.alloc(8)],
		['a cut request', new Writer(types.open).number(1).number(1000).end()],
		['a request without an id', new Writer(types.lstat).end()],
	])('%s ends the session', async (_, bytes) => {
		const {channel, service} = servedDirectory();
		channel.stdin.write(bytes);
		await expect(service.ended).rejects.toBeInstanceOf(Malformed);
	});

	test('an unknown request is answered', async () => {
		const {raw} = servedDirectory();
		const greeting = await raw.greet();
		expect(greeting.type).toBe(types.version);
		expect((await raw.ask(150, writer => writer)).status).toBe(unsupported);
	});

	test('answers that nobody takes are not heaped up', async () => {
		const {source, channel} = servedDirectory();
		writeFileSync(path.join(source, 'a'), Buffer.alloc(2 ** 20));
		channel.stdin.write(new Writer(types.open).number(1).bytes('/a').number(openFlags.read).number(0).end());
		const handle = Buffer.alloc(4);
		for (let index = 0; index < 1000; index++) {
			channel.stdin.write(new Writer(types.read).number(index).bytes(handle).offset(0).number(65_536).end());
		}
		await new Promise(resolve => setImmediate(resolve));
		await new Promise(resolve => setImmediate(resolve));
		expect(channel.stdout.readableLength).toBeLessThan(2 ** 20);
		let got = 0;
		for await (const chunk of channel.stdout) {
			got += (chunk as Buffer).length;
			if (got >= 1000 * 65_536) break;
		}
		expect(got).toBeGreaterThanOrEqual(1000 * 65_536);
	});
});

test('files that cannot be read say so', async () => {
	const {source, raw} = servedDirectory();
	writeFileSync(path.join(source, 'a'), 'x');
	chmodSync(path.join(source, 'a'), 0);
	expect(await raw.read('/a')).toEqual(isRoot ? Buffer.from('x') : denied);
});
