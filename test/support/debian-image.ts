import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, renameSync, rmSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {findOnPath} from './find-program.ts';
import {imageCache} from './micro-image.ts';

const script = fileURLToPath(new URL('debian-image.sh', import.meta.url));
const file = path.join(imageCache, 'debian-12-cloud.qcow2');

/** Why this host cannot build the image, and has none from before; empty when it can or has. */
export function whyNoDebian(): string {
	if (existsSync(file)) return '';
	if (process.platform !== 'linux' || process.arch !== 'x64') return 'is built on Linux on amd64 only';
	if (process.getuid?.() !== 0) return 'building it needs root';
	const missing = ['mmdebstrap', 'mke2fs', 'qemu-img', 'apt-get'].filter(name => findOnPath(name) === undefined);
	return missing.length === 0 ? '' : `building it needs ${missing.join(', ')}`;
}

/**
 * A Debian cloud image as its users have them, built once from packages (one to four minutes) and kept from run to run.
 * @returns its path @throws Error with the last words of the build
 */
export function debianImage(): string {
	if (existsSync(file)) return file;
	mkdirSync(imageCache, {recursive: true, mode: 0o700});
	const part = `${file}.${process.pid}`;
	const {status, stderr, error} = spawnSync('sh', [script, part], {encoding: 'utf8', timeout: 900_000});
	if (status !== 0) {
		rmSync(part, {force: true});
		throw new Error(
			`the Debian image could not be built: ${error?.message ?? stderr.trim().split('\n').slice(-3).join('; ')}`,
		);
	}
	renameSync(part, file);
	return file;
}
