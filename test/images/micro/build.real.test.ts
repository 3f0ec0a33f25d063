import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, statSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {buildMicro} from '../../../source/images/micro/build-micro.ts';
import {createImageStore} from '../../../source/images/store.ts';
import {recordedWork, temporaryDirectory} from '../work.ts';

test('the micro image is built from packages, sound and small', async () => {
	const cache = temporaryDirectory();
	const store = createImageStore({paths: {cache}});
	const work = recordedWork();
	const image = await store.fetch(await store.resolve('micro'), work);
	expect(image.format).toBe('qcow2');
	expect(image.virtualSize).toBe(160 * 1024 * 1024);
	expect(statSync(image.path).size).toBeLessThan(48 * 1024 * 1024);
	expect(work.stages.some(stage => /^fetching packages \d+ of \d+$/.test(stage))).toBe(true);
	expect(work.stages.at(-1)).toBe('building the guest');
	// The root partition is a sound ext4 in which everything belongs to root.
	const raw = path.join(cache, 'disk.raw');
	execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image.path, raw]);
	const root = path.join(cache, 'root.img');
	execFileSync('dd', [`if=${raw}`, `of=${root}`, 'bs=1M', 'skip=25', 'conv=sparse'], {stdio: 'ignore'});
	const tool = (program: string, ...arguments_: string[]): string =>
		execFileSync(program, arguments_, {env: {PATH: '/usr/sbin:/sbin:/usr/bin:/bin'}, encoding: 'utf8', stdio: 'pipe'});
	tool('e2fsck', '-f', '-n', root);
	const init = tool('debugfs', '-R', 'stat /etc/rc.boot', root);
	expect(init).toMatch(/User: +0 +Group: +0/);
	expect(init).toMatch(/Mode: +0755/);
	expect(tool('debugfs', '-R', 'cat /etc/os-release', root)).toContain('PRETTY_NAME="Micro 1');
	const again = recordedWork();
	expect(await store.fetch(await store.resolve('micro'), again)).toEqual(image);
	expect(again.stages).toEqual([]);
});

test('the micro image for containers is an archive in which everything belongs to root, without a kernel', async () => {
	const cache = temporaryDirectory();
	const store = createImageStore({paths: {cache}});
	const work = recordedWork();
	const image = await store.fetch(await store.resolve('micro'), work, 'rootfs');
	expect(image.format).toBe('rootfs');
	expect(image.virtualSize).toBeLessThan(16 * 1024 * 1024);
	expect(statSync(image.path).size).toBeLessThan(8 * 1024 * 1024);
	const lines = execFileSync('tar', ['--numeric-owner', '-tvf', image.path], {encoding: 'utf8'}).trim().split('\n');
	expect(lines[0]).toMatch(/metadata\.yaml$/);
	expect(lines.every(line => / 0\/0 /.test(line))).toBe(true);
	expect(lines.some(line => /^-rwxr-xr-x .* rootfs\/sbin\/init$/.test(line))).toBe(true);
	expect(lines.filter(line => /vmlinuz|initrd|\.ko$|lib\/modules|qemu-ga/.test(line))).toEqual([]);
	const again = recordedWork();
	expect(await store.fetch(await store.resolve('micro'), again, 'rootfs')).toEqual(image);
	expect(again.stages).toEqual([]);
});

test('a build that is cancelled ends its programs and leaves nothing', async () => {
	const cache = temporaryDirectory();
	const store = createImageStore({paths: {cache}});
	const work = recordedWork(self => {
		if (self.stages.at(-1)?.startsWith('fetching')) self.cancel();
	});
	await expect(store.fetch(await store.resolve('micro'), work)).rejects.toMatchObject({code: 'operation.cancelled'});
	expect(readdirSync(path.join(cache, 'images', 'work'))).toEqual([]);
	expect(work.stages.at(-1)).toMatch(/^fetching/);
});

test('package sources without the guest’s packages are told in one sentence', async () => {
	const directory = path.join(temporaryDirectory(), 'work');
	mkdirSync(directory);
	const before = process.env.APT_CONFIG;
	const configuration = path.join(directory, '..', 'apt.conf');
	execFileSync('tee', [configuration], {
		input: 'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "/dev/null";\n',
		stdio: ['pipe', 'ignore', 'inherit'],
	});
	process.env.APT_CONFIG = configuration;
	try {
		await expect(buildMicro(directory, recordedWork())).rejects.toMatchObject({
			code: 'image.download',
			message: expect.stringMatching(/^The micro image cannot be built: this machine's package sources do not have /),
		});
	} finally {
		if (before === undefined) delete process.env.APT_CONFIG;
		else process.env.APT_CONFIG = before;
	}
	expect(existsSync(path.join(directory, 'debs'))).toBe(false);
});
