import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import type {ImageForm, ImageWork} from '../image.ts';
import {descriptionEntries} from '../rootfs/metadata.ts';
import {treeEntries, writeArchive} from '../rootfs/pack.ts';
import {run} from '../run.ts';
import {assembleDisk} from './disk.ts';
import {checkHost} from './host.ts';
import {fetchPackages} from './packages.ts';
import {type Kernel, kernels, micro, recipe} from './recipe.ts';
import {makeContainerTree, makeInitramfs, makeRootTree} from './root-tree.ts';

/**
 * Builds the micro image in an empty directory, which the caller removes whatever happens.
 * Needs neither root nor mounts; downloads some 35 MB of packages, for a container 7 MB.
 * @returns the path of a qcow2 file, or of the archive of a container
 * @throws DroverError `image.unusable` (not on this host), `image.download`, `host.failed`, `operation.cancelled`
 */
export async function buildMicro(
	directory: string,
	work: ImageWork,
	form: ImageForm = 'disk',
	kernel: Kernel = kernels.cloud,
): Promise<string> {
	await checkHost(form);
	return form === 'disk' ? buildMachine(directory, work, kernel) : buildContainer(directory, work);
}

async function buildMachine(directory: string, work: ImageWork, kernel: Kernel): Promise<string> {
	const packages = await fetchPackages(directory, {kernel: kernel.package, names: recipe.packages}, work);
	work.log(`Kernel ${packages.kernelVersion}`);
	work.progress('building the guest', 0);
	const root = path.join(directory, 'root');
	await mkdir(root);
	await makeRootTree(packages, root, work);
	work.progress('building the guest', 40);
	const initramfs = await makeInitramfs(packages, directory);
	work.progress('building the guest', 60);
	const raw = await assembleDisk(packages, {root, initramfs, directory, ...kernel}, work);
	work.progress('building the guest', 80);
	const image = path.join(directory, 'micro.qcow2');
	await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image], {
		signal: work.signal,
		purpose: 'write the image',
	});
	work.progress('building the guest', 100);
	return image;
}

async function buildContainer(directory: string, work: ImageWork): Promise<string> {
	const packages = await fetchPackages(directory, {names: recipe.containerPackages}, work);
	work.progress('building the guest', 0);
	const root = path.join(directory, 'root');
	await mkdir(root);
	await makeContainerTree(packages, root, work);
	work.progress('building the guest', 50);
	const image = path.join(directory, 'micro.tar.gz');
	const created = new Date();
	const entries = async function* () {
		yield* descriptionEntries(micro, created);
		yield* treeEntries(root, 'rootfs', Math.floor(created.getTime() / 1000));
	};
	await writeArchive(image, entries(), 9, work.signal);
	work.progress('building the guest', 100);
	return image;
}
