import {existsSync} from 'node:fs';
import {copyFile, readFile} from 'node:fs/promises';
import path from 'node:path';

const dynamicSection = 6;
const tagNeeded = 1n;

/**
 * The shared libraries a 64-bit little-endian ELF file asks for (`libc.so.6`). Empty for a static program.
 * Source: System V ABI, chapters 4 and 5.
 * @throws RangeError when the file is cut short
 */
export function neededLibraries(file: Buffer): string[] {
	if (file.length < 64 || file.readUInt32BE(0) !== 0x7f_45_4c_46 || file[4] !== 2 || file[5] !== 1) return [];
	const sections = Number(file.readBigUInt64LE(0x28));
	const size = file.readUInt16LE(0x3a);
	const count = file.readUInt16LE(0x3c);
	const header = (index: number) => {
		const at = sections + index * size;
		return {
			type: file.readUInt32LE(at + 4),
			offset: Number(file.readBigUInt64LE(at + 24)),
			size: Number(file.readBigUInt64LE(at + 32)),
			link: file.readUInt32LE(at + 40),
		};
	};
	const needed: string[] = [];
	for (let index = 0; index < count; index++) {
		const section = header(index);
		if (section.type !== dynamicSection) continue;
		const strings = header(section.link);
		for (let at = section.offset; at + 16 <= section.offset + section.size; at += 16) {
			if (file.readBigInt64LE(at) !== tagNeeded) continue;
			const start = strings.offset + Number(file.readBigUInt64LE(at + 8));
			needed.push(file.toString('latin1', start, file.indexOf(0, start)));
		}
	}
	return needed;
}

const libraryDirectories = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib64', 'lib64'];

/**
 * Copies the libraries that programs need, and those that the libraries need, from unpacked packages.
 * @returns the names that no package has
 */
export async function copyLibraries(
	programs: readonly string[],
	packages: string,
	destination: string,
): Promise<string[]> {
	const missing: string[] = [];
	const seen = new Set<string>();
	const queue = [...programs];
	for (let program = queue.pop(); program !== undefined; program = queue.pop()) {
		for (const name of neededLibraries(await readFile(program))) {
			if (seen.has(name) || name.includes('/')) continue;
			seen.add(name);
			const found = libraryDirectories
				.map(directory => path.join(packages, directory, name))
				.find(candidate => existsSync(candidate));
			if (found === undefined) {
				missing.push(name);
				continue;
			}
			const copy = path.join(destination, name);
			await copyFile(found, copy);
			queue.push(copy);
		}
	}
	return missing;
}
