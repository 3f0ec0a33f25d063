import {access, constants, copyFile, rename, rm} from 'node:fs/promises';
import {pathsOf} from '../../platform/places.ts';
import type {System} from '../../platform/system.ts';
import {storageError} from '../../state/atomic.ts';
import {exists} from './saved-memory.ts';

/** UEFI for a guest: its code, which nobody writes to, and the variables a new guest begins with. Absolute paths. */
export type Flash = {readonly code: string; readonly variables: string};

/**
 * Where it is, beside a share directory: QEMU's own build of edk2 (Homebrew and MacPorts have it), Debian's, Fedora's.
 * Only those that fill the machine's flash of 64 MiB, which QEMU demands.
 */
const names: ReadonlyArray<readonly [code: string, variables: string]> = [
	['qemu/edk2-aarch64-code.fd', 'qemu/edk2-arm-vars.fd'],
	['AAVMF/AAVMF_CODE.fd', 'AAVMF/AAVMF_VARS.fd'],
	['edk2/aarch64/QEMU_EFI-pflash.raw', 'edk2/aarch64/vars-template-pflash.raw'],
];

/** Where share directories are besides the one that belongs to the program. */
const shares: Readonly<Record<'linux' | 'darwin' | 'win32', readonly string[]>> = {
	linux: ['/usr/share'],
	darwin: ['/opt/homebrew/share', '/usr/local/share', '/opt/local/share'],
	win32: [],
};

/** The places to look at, best first: what came with that very QEMU, then what the system has. */
export function flashCandidates(program: string, platform: System['platform']): Flash[] {
	const {dirname, join} = pathsOf(platform);
	const own = join(dirname(program), '..', 'share');
	return [...new Set([own, ...shares[platform]])].flatMap(share =>
		names.map(([code, variables]) => ({code: join(share, code), variables: join(share, variables)})),
	);
}

/** @param program absolute path of QEMU. @returns `undefined` when there is none that can be read */
export async function findFlash(program: string, platform: System['platform']): Promise<Flash | undefined> {
	for (const flash of flashCandidates(program, platform)) {
		if ((await isReadable(flash.code)) && (await isReadable(flash.variables))) return flash;
	}
	return undefined;
}

async function isReadable(file: string): Promise<boolean> {
	return access(file, constants.R_OK).then(
		() => true,
		() => false,
	);
}

/**
 * Gives a file a copy, whole or not at all; one that is there is kept. Where the file system can, both share their blocks
 * until one is written to.
 * @throws DroverError `host.disk-full`, `host.failed`
 */
export async function keepCopy(source: string, target: string): Promise<void> {
	if (await exists(target)) return;
	await replaceWithCopy(source, target);
}

/** As {@link keepCopy}, in the place of what is there. */
export async function replaceWithCopy(source: string, target: string): Promise<void> {
	const part = `${target}.part`;
	try {
		await rm(part, {force: true});
		await copyFile(source, part, constants.COPYFILE_FICLONE);
		await rename(part, target);
	} catch (error) {
		await rm(part, {force: true}).catch(() => {});
		throw storageError(error, target);
	}
}
