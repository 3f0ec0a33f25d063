import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import type {ImageWork} from '../image.ts';
import {run} from '../run.ts';
import {assembleDisk} from './disk.ts';
import {checkHost} from './host.ts';
import {fetchPackages} from './packages.ts';
import {makeInitramfs, makeRootTree} from './root-tree.ts';

/**
 * Builds the micro image in an empty directory, which the caller removes whatever happens.
 * Needs neither root nor mounts; downloads some 35 MB of packages.
 * @returns the path of a qcow2 file
 * @throws DroverError `image.unusable` (not on this host), `image.download`, `host.failed`, `operation.cancelled`
 */
export async function buildMicro(directory: string, work: ImageWork): Promise<string> {
	await checkHost();
	const packages = await fetchPackages(directory, work);
	work.log(`Kernel ${packages.kernelVersion}`);
	work.progress('building the guest', 0);
	const root = path.join(directory, 'root');
	await mkdir(root);
	await makeRootTree(packages, root, work);
	work.progress('building the guest', 40);
	const initramfs = await makeInitramfs(packages, directory);
	work.progress('building the guest', 60);
	const raw = await assembleDisk(packages, {root, initramfs, directory}, work);
	work.progress('building the guest', 80);
	const image = path.join(directory, 'micro.qcow2');
	await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image], {
		signal: work.signal,
		purpose: 'write the image',
	});
	work.progress('building the guest', 100);
	return image;
}
