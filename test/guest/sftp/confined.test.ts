import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import fc from 'fast-check';
import {expect, onTestFinished, test} from 'vitest';
import {openFlags, statuses, types, type Writer} from '../../../source/guest/sftp/packets.ts';
import {type RawSftp, type Served, servedDirectory} from '../../support/served-directory.ts';

/** Nothing inside has this content. */
const secret = `SECRET${'x'.repeat(77_771)}`;

/** Everything about a tree that a guest could have changed. */
function snapshot(directory: string): string {
	const lines = readdirSync(directory, {recursive: true, encoding: 'utf8'})
		.sort()
		.map(name => {
			const file = path.join(directory, name);
			const stats = lstatSync(file);
			const content = stats.isFile() ? readFileSync(file, 'latin1') : stats.isSymbolicLink() ? readlinkSync(file) : '';
			return `${name} ${stats.mode} ${stats.uid} ${stats.gid} ${stats.mtimeMs} ${stats.nlink} ${content}`;
		});
	return [...lines, String(lstatSync(directory).mtimeMs)].join('\n');
}

function fill({source, outside}: Served): void {
	mkdirSync(path.join(outside, 'deep'));
	writeFileSync(path.join(outside, 'secret'), secret);
	writeFileSync(path.join(outside, 'deep/secret'), secret);
	mkdirSync(path.join(source, 'a/b'), {recursive: true});
	writeFileSync(path.join(source, 'a/f'), 'inside');
	for (const [name, to] of [
		['out', '../outside'],
		['abs', outside],
		['file', path.join(outside, 'secret')],
		['up', '..'],
		['root', '/'],
		['self', '.'],
		['a/out', '../../outside'],
		['a/b/up', '../../..'],
		['chain', 'out/deep'],
	] as const) {
		symlinkSync(to, path.join(source, name));
	}
}

const names = [
	...['', '.', '..', '...', 'a', 'b', 'f', 'g', 'out', 'abs', 'file', 'up', 'root', 'self', 'chain'],
	...['outside', 'source', 'secret', 'deep', 'etc', 'passwd', 'proc', 'fd', 'cwd', 'a\0', '\xff', '~', 'x'.repeat(256)],
];
const somePath = fc
	.tuple(fc.constantFrom('', '/', '//', '/../', '../'), fc.array(fc.constantFrom(...names), {maxLength: 7}))
	.map(([head, parts]) => head + parts.join('/'));
const linkText = fc.oneof(somePath, fc.constantFrom('/etc/passwd', '../../outside/secret', '/proc/self/root', ''));
const request = fc.tuple(fc.nat(18), somePath, fc.oneof(somePath, linkText), fc.nat(0o7777));

/** One request of a kind, and what came back of content. @returns the bytes of the answer */
async function perform(raw: RawSftp, [kind, one, other, number]: readonly [number, string, string, number]) {
	const bytes = (text: string) => Buffer.from(text, 'latin1');
	const about = (type: number, more: (writer: Writer) => unknown = () => {}) =>
		raw.ask(type, writer => {
			writer.bytes(bytes(one));
			more(writer);
		});
	switch (kind) {
		case 0:
		case 1:
			return raw.read(bytes(one), 100_000);
		case 2:
			return raw.write(bytes(one), 'overwritten');
		case 3:
			return raw.write(bytes(one), 'overwritten', openFlags.write | openFlags.append);
		case 4:
			return raw.open(bytes(one), openFlags.read | openFlags.write | openFlags.create | openFlags.exclusive);
		case 5:
			return raw.list(bytes(one));
		case 6:
			return (await about(types.lstat)).reader;
		case 7:
			return (await about(types.stat)).reader;
		case 8:
			return (await about(types.setstat, writer => writer.number(4).number(number))).status;
		case 9:
			return (await about(types.setstat, writer => writer.number(1).offset(3))).status;
		case 10:
			return (await about(types.setstat, writer => writer.number(8).number(1).number(2))).status;
		case 11:
			return (await about(types.remove)).status;
		case 12:
			return (await about(types.mkdir, writer => writer.number(4).number(number))).status;
		case 13:
			return (await about(types.rmdir)).status;
		case 14:
			return (await about(types.rename, writer => writer.bytes(bytes(other)))).status;
		case 15:
			return (await raw.ask(types.symlink, writer => writer.bytes(bytes(other)).bytes(bytes(one)))).status;
		case 16:
			return (await about(types.readlink)).reader;
		case 17:
			return (
				await raw.ask(types.extended, writer =>
					writer.bytes('hardlink@openssh.com').bytes(bytes(one)).bytes(bytes(other)),
				)
			).status;
		default:
			return (
				await raw.ask(types.extended, writer =>
					writer.bytes('posix-rename@openssh.com').bytes(bytes(one)).bytes(bytes(other)),
				)
			).status;
	}
}

test('whatever a guest asks for, nothing outside is read or changed', async () => {
	const served = servedDirectory();
	const {source, outside, raw} = served;
	fill(served);
	const before = snapshot(outside);
	await fc.assert(
		fc.asyncProperty(fc.array(request, {minLength: 1, maxLength: 25}), async requests => {
			for (const each of requests) {
				const got = await perform(raw, each);
				const text = Buffer.isBuffer(got) ? got.toString('latin1') : Array.isArray(got) ? got.join('\n') : '';
				expect(text).not.toMatch(/SECRET|root:/);
				if (Array.isArray(got)) expect(text).not.toMatch(/^(deep|secret)$/m);
			}
			expect(readdirSync(path.dirname(source)).sort()).toEqual(['outside', 'source']);
			expect(snapshot(outside)).toBe(before);
			// A fresh tree for the next, as much as the guest has left.
			for (const name of readdirSync(source, {encoding: 'buffer'})) {
				rmSync(Buffer.concat([Buffer.from(`${source}/`), name]), {recursive: true, force: true});
			}
			fill({...served, outside: mkdirAside(outside)});
		}),
		{numRuns: 150},
	);
}, 60_000);

/** {@link fill} makes what is outside as well, which is there already: a place to do so that nobody looks at. */
function mkdirAside(outside: string): string {
	const aside = path.join(path.dirname(path.dirname(outside)), `${path.basename(path.dirname(outside))}-aside`);
	rmSync(aside, {recursive: true, force: true});
	mkdirSync(aside);
	onTestFinished(() => rmSync(aside, {recursive: true, force: true}));
	return aside;
}

/** Puts links to what is outside in the place of a directory and of a file, and takes them away, as fast as it can. */
const swapper = `
const {renameSync} = require('node:fs');
const swap = (one, other, aside) => { renameSync(one, aside); renameSync(other, one); renameSync(aside, other); };
process.stdout.write('begun');
for (;;) { swap('d', 'd-link', 'd-aside'); swap('d-real/f', 'f-link', 'f-aside'); swap('d', 'd-link', 'd-aside'); swap('d/f', 'f-link', 'f-aside'); }
`;

test('links that come and go in the middle of a request lead nowhere', async () => {
	const {source, outside, raw} = servedDirectory();
	writeFileSync(path.join(outside, 'f'), secret);
	mkdirSync(path.join(source, 'd'));
	writeFileSync(path.join(source, 'd/f'), 'inside');
	symlinkSync(outside, path.join(source, 'd-link'));
	symlinkSync(path.join(outside, 'f'), path.join(source, 'f-link'));
	const before = snapshot(outside);
	const script = swapper.replaceAll('d-real', 'd-link');
	const child = spawn(process.execPath, ['-e', script], {cwd: source, stdio: ['ignore', 'pipe', 'inherit']});
	onTestFinished(async () => {
		if (child.exitCode !== null) return;
		const ended = once(child, 'exit');
		child.kill('SIGKILL');
		await ended;
	});
	await once(child.stdout, 'data');
	const seen = {inside: 0, missed: 0};
	for (let round = 0; round < 4000; round++) {
		const content = await raw.read('/d/f', 100);
		if (typeof content === 'number') seen.missed++;
		else {
			seen.inside++;
			expect(content.toString()).toBe('inside');
		}
		await raw.write('/d/new', 'x');
		await raw.ask(types.setstat, writer =>
			writer
				.bytes('/d/f')
				.number(4)
				.number(0o600 + (round % 8)),
		);
		await raw.ask(types.setstat, writer => writer.bytes('/d/f').number(8).number(round).number(round));
		expect((await raw.about(types.remove, '/d/new')).status).not.toBe(statuses.unsupported);
	}
	expect(child.exitCode).toBeNull();
	expect(snapshot(outside)).toBe(before);
	// Else nothing was tried.
	expect(seen.inside).toBeGreaterThan(0);
	expect(seen.missed).toBeGreaterThan(0);
}, 60_000);
