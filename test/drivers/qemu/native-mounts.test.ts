import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {
	describedProgram,
	fileServerArguments,
	findFileServer,
	readHelp,
} from '../../../source/drivers/qemu/mounts/file-server.ts';
import {
	describe as describeMount,
	isMountId,
	mountId,
	slotArguments,
	slotsOf,
} from '../../../source/drivers/qemu/mounts/native-mount.ts';
import {mapsProblem, translations} from '../../../source/drivers/qemu/mounts/owners.ts';
import {identities, openSource, rootsOf} from '../../../source/drivers/qemu/mounts/served.ts';
import {endAllServing, serversOf} from '../../../source/drivers/qemu/mounts/serving.ts';
import {readAnswer} from '../../../source/guest/mount/prepare.ts';
import {isLasting} from '../../../source/guest/mount/refusals.ts';

function directory(): string {
	const made = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-native-')));
	onTestFinished(() => rmSync(made, {recursive: true, force: true}));
	return made;
}

const map = (host: number, guest: number) => ({host, guest});

describe('what a mount is called', () => {
	test('a device has a name of ours, the same for the same target, that both kinds of tag take', () => {
		const id = mountId({target: '/home/ubuntu/src'});
		expect(id).toMatch(/^mnt-[\da-f]{8}$/);
		expect(mountId({target: '/home/ubuntu/src'})).toBe(id);
		expect(mountId({target: '/home/ubuntu/other'})).not.toBe(id);
		expect([isMountId(id), isMountId('balloon0'), isMountId('mnt-slot0')]).toEqual([true, false, false]);
		expect(describeMount(id, '9p')).toMatchObject({tag: id, options: expect.stringContaining('trans=virtio')});
	});

	test('a machine is started with places for mounts over 9p, and those are found again in its command line', () => {
		const place = {directory: '/d', sockets: '/run/a,b'};
		const words = slotArguments(place, false);
		expect(words.slice(0, 2)).toEqual([
			'-fsdev',
			'local,id=mnt-slot0,path=/run/a,,b/mnt-slot0,security_model=none,multidevs=remap',
		]);
		expect(slotArguments(place, true)[1]).toMatch(/security_model=passthrough/);
		expect(slotsOf({arguments: ['qemu', ...words]})).toHaveLength(8);
		expect(slotsOf({arguments: ['qemu', '-fsdev', 'local,id=other,path=/x']})).toEqual([]);
	});
});

describe('owners', () => {
	const asRoot = {translates: true, own: 0};

	test('are shown under other numbers where virtiofsd can do it, and else refused with the reason', () => {
		expect(mapsProblem([map(5, 5), map(7, -1)], {translates: false, own: 0})).toBeUndefined();
		expect(mapsProblem([map(5, 6)], {translates: false, own: 0})).toMatch(/cannot be shown under other numbers/);
		expect(mapsProblem([map(5, 6), map(6, 5)], asRoot)).toBeUndefined();
		expect(mapsProblem([map(5, 6), map(5, 7)], asRoot)).toMatch(/mapped once/);
		expect(mapsProblem([map(5, 7), map(6, 7)], asRoot)).toMatch(/mapped once/);
		expect(mapsProblem([map(1000, 7)], {translates: true, own: 1000})).toBeUndefined();
		expect(mapsProblem([map(5, 7)], {translates: true, own: 1000})).toMatch(/without root.*1000/);
	});

	test('are told to virtiofsd guest first; without root all is one’s own', () => {
		expect(translations([map(0, 0)], 0)).toEqual([]);
		expect(translations([map(0, 1000), map(5, 6)], 0)).toEqual(['map:1000:0:1', 'map:6:5:1']);
		expect(translations([map(1001, 1000)], 1001)).toEqual(['squash-guest:0:1001:4294967295', 'host:1001:1000:1']);
		expect(translations([map(1000, 1000)], 1000)).toEqual(['squash-guest:0:1000:4294967295']);
	});
});

describe('virtiofsd', () => {
	test('of both kinds is told apart by its own words', () => {
		expect(readHelp('    -o source=PATH             shared directory tree\n')).toEqual({kind: 'c', translates: false});
		expect(readHelp('      --shared-dir <SHARED_DIR>\n')).toEqual({kind: 'rust', translates: false});
		expect(readHelp('      --shared-dir <DIR>\n      --translate-uid <MAP>\n')).toMatchObject({translates: true});
		expect(readHelp('usage: something else')).toBeUndefined();
	});

	test('is found by what its package says of it', () => {
		expect(describedProgram('{"type": "fs", "binary": "/usr/libexec/virtiofsd"}')).toBe('/usr/libexec/virtiofsd');
		for (const text of ['{"type": "gpu", "binary": "/g"}', '{"type": "fs", "binary": "virtiofsd"}', '[]', 'no JSON']) {
			expect(describedProgram(text)).toBeUndefined();
		}
	});

	test('is locked up, and given no way to make devices; its options are not taken apart wrongly', () => {
		const what = {source: '/a,b\\c', socket: '/run/s', users: ['map:1:2:1']};
		expect(fileServerArguments({kind: 'c', sandbox: 'chroot'}, what)).toEqual(
			expect.arrayContaining(['source=/a\\,b\\\\c', 'sandbox=chroot', 'modcaps=-mknod:-setfcap']),
		);
		expect(fileServerArguments({kind: 'rust', sandbox: 'namespace'}, what)).toEqual(
			expect.arrayContaining([
				'--shared-dir=/a,b\\c',
				'--sandbox=namespace',
				'--modcaps=-mknod:-setfcap',
				'--translate-uid=map:1:2:1',
			]),
		);
	});

	test('that is not there, or is of no use, is a reason', async () => {
		expect(await findFileServer({program: false})).toBe('virtiofsd is not installed');
		expect(await findFileServer({program: '/no/such/virtiofsd'})).toBe('virtiofsd is not installed');
		expect(await findFileServer({program: '/bin/true'})).toBe('virtiofsd is not installed');
	});
});

describe.skipIf(process.platform !== 'linux')('a directory that is served', () => {
	test('is held as the one that was meant, whatever is put in its place', async () => {
		const home = directory();
		const source = path.join(home, 'src');
		mkdirSync(source);
		const opened = await openSource(source);
		renameSync(source, `${source}.away`);
		mkdirSync(source);
		const now = await identities([opened.path, `${source}.away`, source]);
		if (now === 'silent') throw new Error('silent');
		expect(now.get(opened.path)).toBe(opened.identity);
		expect(now.get(`${source}.away`)).toBe(opened.identity);
		expect(now.get(source)).not.toBe(opened.identity);
		expect(now.size).toBe(3);
		await opened.close();
		symlinkSync('/etc', path.join(home, 'link'));
		await expect(openSource(path.join(home, 'link'))).rejects.toMatchObject({code: 'instance.invalid'});
		await expect(openSource(path.join(home, 'nothing'))).rejects.toMatchObject({code: 'instance.invalid'});
		expect(await identities([path.join(home, 'nothing')])).toEqual(new Map());
	});

	test('is what a process has locked itself up in', async () => {
		const root = await identities(['/']);
		expect(await rootsOf([process.pid])).toEqual(root === 'silent' ? [] : [...root.values()]);
		expect(await rootsOf([])).toEqual([]);
	});

	test.skipIf(process.getuid?.() !== 0)(
		'is served by nobody else, whatever he calls himself (needs root)',
		async () => {
			const home = directory();
			const socket = path.join(home, 'mnt-01234567.sock');
			const words = ['-e', 'setInterval(() => {}, 1000)', '--', `--socket-path=${socket}`];
			const stranger = spawn(process.execPath, words, {stdio: 'ignore', uid: 65_534, gid: 65_534});
			const own = spawn(process.execPath, words, {stdio: 'ignore'});
			onTestFinished(() => {
				stranger.kill('SIGKILL');
				own.kill('SIGKILL');
			});
			const found = async () => [...(await serversOf({directory: home, sockets: home}, 'mnt-01234567')).keys()];
			await expect.poll(found, {timeout: 10_000}).toEqual([own.pid]);
			await expect.poll(() => readFileSync(`/proc/${stranger.pid}/cmdline`, 'utf8')).toContain('--socket-path');
			expect(await found()).toEqual([own.pid]);
		},
	);

	test('by what nobody came to any more is not served for ever', async () => {
		const home = directory();
		const place = {directory: home, sockets: home};
		// What a daemon leaves that is killed before QEMU was told.
		const socket = path.join(home, 'mnt-01234567.sock');
		const script = 'require("net").createServer().listen(process.argv[1].slice(14))';
		const child = spawn(process.execPath, ['-e', script, '--', `--socket-path=${socket}`], {stdio: 'ignore'});
		const ended = new Promise(resolve => child.once('exit', resolve));
		await expect.poll(async () => (await serversOf(place, 'mnt-01234567')).size, {timeout: 10_000}).toBe(1);
		await expect.poll(() => existsSync(socket), {timeout: 10_000}).toBe(true);
		await endAllServing(place);
		await ended;
		expect(existsSync(socket)).toBe(false);
		expect((await serversOf(place, 'mnt-01234567')).size).toBe(0);
	});
});

test('what a guest says of itself is believed where it is numbers, and else is a reason', () => {
	const told = (lines: readonly string[], more = {}) => ({lines, exitCode: 0, complaint: '', ...more});
	expect(readAnswer('web', told(['ids 1000 100', 'installing', 'ready']))).toEqual({uid: 1000, gid: 100});
	const refusal = (...lines: string[]) => {
		try {
			readAnswer('web', told(lines));
		} catch (error) {
			return error;
		}
		return undefined;
	};
	expect(refusal('ids 1000 100', 'no-sshfs E: \u001B[31mUnable to fetch.')).toMatchObject({
		code: 'guest.failed',
		message: 'sshfs is not installed in web, and could not be installed: E: Unable to fetch.',
	});
	expect(isLasting(refusal('ids 1 1', 'no-fuse'))).toBe(true);
	expect(refusal('no-kind')).toMatchObject({message: expect.stringMatching(/neither virtiofs nor 9p/)});
	expect(isLasting(refusal('no-kind'))).toBe(true);
	expect(refusal('ids -1 0', 'ready')).toMatchObject({code: 'guest.failed'});
	expect(refusal('constructor')).toMatchObject({message: 'web could not be made ready for a mount.'});
	expect(() => readAnswer('web', told([], {exitCode: 255, complaint: 'kex_exchange: closed'}))).toThrow(/kex_exchange/);
});
