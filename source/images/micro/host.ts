import {constants} from 'node:fs';
import {access} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {DroverError} from '../../model/errors.ts';
import {listOf} from '../../model/text.ts';
import type {ImageForm} from '../image.ts';
import {searchPath} from '../run.ts';

/** Programs the build runs, and the Debian packages they are in. */
const needs: Readonly<Record<ImageForm, Readonly<Record<string, string>>>> = {
	disk: {'dpkg-deb': 'dpkg', mke2fs: 'e2fsprogs', debugfs: 'e2fsprogs', 'qemu-img': 'qemu-utils'},
	rootfs: {'dpkg-deb': 'dpkg'},
};

/**
 * Checks that the micro image can be built here, before anything is downloaded.
 * @throws DroverError `image.unusable` with one sentence: which program of which package is missing, or why not at all
 */
export async function checkHost(
	form: ImageForm,
	host: {platform: NodeJS.Platform; architecture: string; path: string} = {
		platform: process.platform,
		architecture: process.arch,
		path: searchPath(),
	},
): Promise<void> {
	const instead = 'Launch from file:///path/to/image.qcow2 or https://… instead.';
	if (host.platform !== 'linux') {
		throw new DroverError('image.unusable', 'The micro image can only be built on Linux.', {next: instead});
	}
	if (host.architecture !== 'x64') {
		throw new DroverError(
			'image.unusable',
			`The micro image exists for amd64 only, and this machine is ${host.architecture}.`,
			{next: instead},
		);
	}
	if (!(await findProgram('apt-get', host.path)) || !(await findProgram('apt-cache', host.path))) {
		throw new DroverError(
			'image.unusable',
			'The micro image is built from Debian packages with apt-get, which this machine does not have.',
			{next: instead},
		);
	}
	const missing: string[] = [];
	for (const program of Object.keys(needs[form])) {
		if (!(await findProgram(program, host.path))) missing.push(program);
	}
	if (missing.length > 0) {
		const packages = [...new Set(missing.map(program => needs[form][program]!))];
		throw new DroverError(
			'image.unusable',
			`The micro image cannot be built: ${listOf(missing)} ${missing.length === 1 ? 'is' : 'are'} missing.`,
			{next: `Install ${packages.length === 1 ? 'it' : 'them'}: sudo apt-get install ${packages.join(' ')}`},
		);
	}
}

/** Where a program is, or `undefined`. */
export async function findProgram(name: string, search: string): Promise<string | undefined> {
	for (const directory of search.split(path.delimiter)) {
		const candidate = path.join(directory, name);
		try {
			await access(candidate, constants.X_OK);
			return candidate;
		} catch {}
	}
	return undefined;
}
