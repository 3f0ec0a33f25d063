import {chmod, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {findOnPath} from '../find-program.ts';
import {virtualboxRoot} from './root.ts';

/** The real VBoxManage, in a root of its own, with a list of machines of its own. No machine can run. */
export type RealVirtualBox = {
	/** Absolute path of a program that takes VBoxManage's arguments. */
	readonly program: string;
	/** Seen by it under the same path. */
	readonly directory: string;
	/** Ends its service, which reads all settings anew when it is next asked. */
	forget(): Promise<void>;
	close(): Promise<void>;
};

/** @returns why it cannot be had here */
export async function realVirtualBox(): Promise<RealVirtualBox | string> {
	if (process.getuid?.() !== 0) return 'only root can go into a root directory of another release';
	const missing = ['unshare', 'chroot'].find(name => findOnPath(name) === undefined);
	if (missing !== undefined) return `${missing} is not installed`;
	const found = await virtualboxRoot();
	if (typeof found === 'string') return found;
	const {root} = found;
	const directory = await mkdtemp(path.join(tmpdir(), 'vboxreal-'));
	const within = path.join(root, directory);
	await mkdir(within, {recursive: true});
	const program = path.join(directory, 'VBoxManage');
	const socketId = path.basename(directory);
	const variables = `HOME=${directory} VBOX_USER_HOME=${directory}/config VBOX_IPC_SOCKETID=${socketId} LC_ALL=C.UTF-8`;
	const mounts = ['proc', 'sys', 'dev'].map(each => `mount --rbind /${each} '${root}/${each}'`).join(' && ');
	await writeFile(
		program,
		`#!/bin/sh
exec unshare --mount --propagation private sh -c "${mounts} && mount --bind '${directory}' '${within}' && exec chroot '${root}' env ${variables} /usr/lib/virtualbox/VBoxManage \\"\\$@\\"" VBoxManage "$@"
`,
	);
	await chmod(program, 0o755);
	const forget = async () => {
		for (const pid of await servicesOf(socketId)) process.kill(pid, 'SIGTERM');
		for (let tries = 0; (await servicesOf(socketId)).length > 0 && tries < 100; tries++) {
			await new Promise(resolve => setTimeout(resolve, 100));
		}
	};
	const close = async () => {
		await forget();
		await rm(directory, {recursive: true, force: true});
		await rmdir(within).catch(() => {});
	};
	const {exitCode, stderr} = await execa(program, ['list', 'vms'], {reject: false, timeout: 60_000});
	if (exitCode === 0) return {program, directory, forget, close};
	await close();
	return `the real one does not run here: ${stderr.split('\n')[0]}`;
}

/** Its service ends by itself five seconds later. */
async function servicesOf(socketId: string): Promise<number[]> {
	const found: number[] = [];
	for (const name of await readdir('/proc')) {
		if (!/^\d+$/.test(name)) continue;
		const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
		if (environment.includes(`VBOX_IPC_SOCKETID=${socketId}`)) found.push(Number(name));
	}
	return found;
}
