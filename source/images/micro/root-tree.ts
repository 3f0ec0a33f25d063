import {existsSync} from 'node:fs';
import {chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {DroverError} from '../../model/errors.ts';
import type {ImageWork} from '../image.ts';
import {seedDirectory} from '../rootfs/metadata.ts';
import {run} from '../run.ts';
import {type ArchiveEntry, cpioArchive} from './cpio.ts';
import {copyLibraries} from './elf.ts';
import {containerFiles, type GuestFile, machineFiles} from './guest/files.ts';
import {indexModules, installModules} from './modules.ts';
import type {Packages} from './packages.ts';
import {recipe} from './recipe.ts';

/** Where things are in the packages (below `usr` or not, as the distribution has it) and where the guest wants them. */
const programs: Readonly<Record<string, string>> = {
	'sbin/dropbear': 'usr/sbin/dropbear',
	'bin/dropbearkey': 'usr/bin/dropbearkey',
	'lib/dropbear/dropbearconvert': 'usr/bin/dropbearconvert',
	'lib/openssh/sftp-server': 'usr/lib/openssh/sftp-server',
	'bin/sshfs': 'usr/bin/sshfs',
	// Asked for only while it runs: without it sshfs aborts when it ends.
	'lib/x86_64-linux-gnu/libgcc_s.so.1': 'lib/libgcc_s.so.1',
};

/** What only a machine needs. */
const machinePrograms: Readonly<Record<string, string>> = {
	'sbin/qemu-ga': 'usr/sbin/qemu-ga',
	'sbin/resize2fs': 'sbin/resize2fs',
};

const directories = [
	'bin sbin lib lib64 usr/bin usr/sbin usr/lib/openssh usr/share/udhcpc etc/dropbear dev proc sys run',
	'tmp mnt root home/ubuntu var/lib/cloud/data var/lib/cloud/instance var/log',
].flatMap(line => line.split(' '));

/** Applets that are not wanted: they would hide files of the guest's own, or make no sense in it. */
const unwantedApplets = new Set(
	'busybox init linuxrc dpkg dpkg-deb rpm rpm2cpio run-init bash shutdown poweroff reboot halt'.split(' '),
);

/** A file of the packages, whether or not the distribution has merged `/bin` into `/usr/bin`. */
export function packaged(packages: Packages, file: string): string {
	for (const prefix of ['usr', '.']) {
		const candidate = path.join(packages.root, prefix, file);
		if (existsSync(candidate)) return candidate;
	}
	throw new DroverError('image.unusable', `The micro image cannot be built: no package has ${file}.`, {
		next: 'This distribution arranges its packages in another way; launch from file:///path/to/image.qcow2 instead.',
	});
}

/** Puts the root file system of a machine together in `root`. */
export async function makeRootTree(packages: Packages, root: string, work: ImageWork): Promise<void> {
	await makeCommonTree(packages, root, {...programs, ...machinePrograms}, work);
	await symlink('../bin/busybox', path.join(root, 'sbin/init'));
	const modules = moduleDirectory(packages);
	await installModules(
		modules,
		await indexModules(modules),
		[...recipe.bootModules, ...recipe.rootModules],
		path.join(root, 'lib/modules', packages.kernelVersion),
	);
	await mkdir(path.join(root, 'etc/acpi/PWRF'), {recursive: true});
	await writeGuestFiles(
		root,
		machineFiles(packages.kernelVersion).filter(file => file.path !== 'init'),
	);
}

/** Puts the root file system of a container together in `root`: no kernel, no modules, nothing for a disk. */
export async function makeContainerTree(packages: Packages, root: string, work: ImageWork): Promise<void> {
	await makeCommonTree(packages, root, programs, work);
	// The seed holds the key the guest shows to SSH clients.
	await mkdir(path.join(root, path.dirname(seedDirectory)), {mode: 0o700});
	await mkdir(path.join(root, seedDirectory), {mode: 0o700});
	await writeGuestFiles(root, containerFiles());
}

async function makeCommonTree(
	packages: Packages,
	root: string,
	wanted: Readonly<Record<string, string>>,
	work: ImageWork,
): Promise<void> {
	for (const directory of directories) await mkdir(path.join(root, directory), {recursive: true});
	const busybox = packaged(packages, 'bin/busybox');
	await install(busybox, path.join(root, 'bin/busybox'));
	const applets = await run(busybox, ['--list'], {signal: work.signal, purpose: 'run the guest’s busybox'});
	for (const applet of applets.split('\n')) {
		if (!/^[\w[.+-]+$/.test(applet) || unwantedApplets.has(applet)) continue;
		await symlink('busybox', path.join(root, 'bin', applet));
	}
	// The guest agent runs /sbin/hwclock and /sbin/shutdown by those names.
	for (const applet of ['getty', 'hwclock', 'modprobe', 'ip', 'udhcpc', 'blockdev']) {
		await symlink('../bin/busybox', path.join(root, 'sbin', applet));
	}
	for (const name of ['poweroff', 'reboot', 'halt']) await symlink('shutdown', path.join(root, 'sbin', name));
	const copies: string[] = [];
	for (const [from, to] of Object.entries(wanted)) {
		copies.push(path.join(root, to));
		await install(packaged(packages, from), path.join(root, to));
	}
	// Dropbear looks for the SFTP server here.
	await symlink('openssh/sftp-server', path.join(root, 'usr/lib/sftp-server'));
	const missing = await copyLibraries(copies, packages.root, path.join(root, 'lib'));
	if (missing.length > 0) {
		throw new DroverError('image.unusable', `The micro image cannot be built: no package has ${missing[0]}.`);
	}
	await symlink('../lib/ld-linux-x86-64.so.2', path.join(root, 'lib64/ld-linux-x86-64.so.2'));
	// Done is what is done in this boot: the file is on the memory file system.
	await symlink('/run/cloud-init/result.json', path.join(root, 'var/lib/cloud/instance/boot-finished'));
}

async function writeGuestFiles(root: string, files: readonly GuestFile[]): Promise<void> {
	for (const file of files) {
		await writeFile(path.join(root, file.path), file.text);
		await chmod(path.join(root, file.path), file.mode);
	}
}

/** The compressed archive the kernel starts from. */
export async function makeInitramfs(packages: Packages, directory: string): Promise<Buffer> {
	const version = packages.kernelVersion;
	const modules = moduleDirectory(packages);
	const tree = path.join(directory, 'initramfs-modules');
	await installModules(modules, await indexModules(modules), recipe.bootModules, tree);
	const entries: ArchiveEntry[] = ['bin', 'dev', 'proc', 'sys', 'newroot', 'lib', 'lib/modules'].map(name => ({
		path: name,
		kind: 'directory',
		mode: 0o755,
	}));
	// Without it the first messages of init have nowhere to go.
	entries.push({path: 'dev/console', kind: 'device', mode: 0o600, major: 5, minor: 1});
	entries.push({
		path: 'bin/busybox',
		kind: 'file',
		mode: 0o755,
		data: await readFile(packaged(packages, 'bin/busybox')),
	});
	const init = machineFiles(version).find(file => file.path === 'init')!;
	entries.push({path: 'init', kind: 'file', mode: 0o755, data: Buffer.from(init.text)});
	entries.push({path: `lib/modules/${version}`, kind: 'directory', mode: 0o755});
	for (const entry of (await readdir(tree, {recursive: true, withFileTypes: true})).sort(byPath)) {
		const full = path.join(entry.parentPath, entry.name);
		const name = `lib/modules/${version}/${path.relative(tree, full)}`;
		entries.push(
			entry.isDirectory()
				? {path: name, kind: 'directory', mode: 0o755}
				: {path: name, kind: 'file', mode: 0o644, data: await readFile(full)},
		);
	}
	return gzipSync(cpioArchive(entries), {level: 9});
}

function byPath(a: {parentPath: string; name: string}, b: {parentPath: string; name: string}): number {
	const left = path.join(a.parentPath, a.name);
	const right = path.join(b.parentPath, b.name);
	return left < right ? -1 : left > right ? 1 : 0;
}

function moduleDirectory(packages: Packages): string {
	return packaged(packages, `lib/modules/${packages.kernelVersion}`);
}

async function install(from: string, to: string): Promise<void> {
	await copyFile(from, to);
	await chmod(to, 0o755);
}
