import {lstat, readdir, readFile, realpath} from 'node:fs/promises';
import path from 'node:path';
import {type DiskRefusal, type ForeignDisk, lookAtDisk} from '../../images/foreign-disk.ts';
import {mebibyte} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {insides, type TheirScope, theirScopes} from './places.ts';
import {parseImages, parseRecords, type TheirImage, type TheirRecord} from './schema.ts';

/** An instance of Multipass's as it was found. */
export type TheirInstance = {
	readonly scope: TheirScope;
	/** As it is there: nothing is known of it, not even that it can be shown. */
	readonly name: string;
	/** `undefined`: nothing is written of it. A text: why what is written cannot be used. */
	readonly record: TheirRecord | string | undefined;
	readonly image: TheirImage | undefined;
	/** Where its disk is, when there is one. */
	readonly file?: string;
	readonly disk: ForeignDisk | DiskRefusal;
	/** How many snapshots were taken of it. */
	readonly snapshots: number;
};

export type TheirData = {
	readonly directory: string;
	readonly instances: readonly TheirInstance[];
	/** Sentences about what could not be read. */
	readonly problems: readonly string[];
};

const recordsName = 'multipassd-vm-instances.json';
const imagesName = 'multipassd-instance-image-records.json';

/** More is no list of instances. */
const mostBytes = 16 * mebibyte;
const mostInstances = 2000;

export type Search = {
	/** The first of the places that has data of theirs; absent: none has. */
	readonly directory?: string;
	/** Places that may have some and may not be looked into. */
	readonly closed: readonly string[];
};

/**
 * Finds the data of a Multipass in one of several places. Looks only.
 * @param isNamed the places are what a person named, and not where one may be
 */
export async function findData(places: readonly string[], isNamed = false): Promise<Search> {
	const closed: string[] = [];
	for (const place of places) {
		for (const directory of insides(place)) {
			const isTheirs = await Promise.all(
				theirScopes.flatMap(scope => [
					isThere(path.join(directory, scope, recordsName)),
					isThere(path.join(directory, scope, 'vault', 'instances')),
				]),
			);
			if (isTheirs.includes('yes')) return {directory: await realpath(directory), closed};
			if (directory !== place || !isTheirs.includes('closed')) continue;
			// In another user's home nobody can tell whether there is anything.
			if (isNamed || (await isThere(place)) === 'yes') closed.push(place);
		}
	}
	return {closed};
}

async function isThere(file: string): Promise<'yes' | 'no' | 'closed'> {
	return lstat(file).then(
		() => 'yes' as const,
		(error: NodeJS.ErrnoException) => (error.code === 'EACCES' || error.code === 'EPERM' ? 'closed' : 'no'),
	);
}

/**
 * Reads all that is there of instances; nothing is changed. No link is followed out of the directory, and what the files
 * say of other directories is not believed.
 * @param directory its real path
 * @param wanted only these scopes
 * @param isWanted only instances of such names
 */
export async function readData(
	directory: string,
	signal: AbortSignal,
	wanted: readonly TheirScope[] = theirScopes,
	isWanted: (name: string) => boolean = () => true,
): Promise<TheirData> {
	const instances: TheirInstance[] = [];
	const problems: string[] = [];
	for (const scope of wanted) {
		const root = path.join(directory, scope);
		const vault = path.join(root, 'vault', 'instances');
		const text = await readText(directory, path.join(root, recordsName));
		const parsed = text.kind === 'text' ? parseRecords(text.text) : new Map<string, TheirRecord | string>();
		if (text.kind === 'problem') problems.push(`${plainLine(text.problem)}.`);
		if (typeof parsed === 'string') problems.push(`${path.join(root, recordsName)} cannot be used: ${parsed}.`);
		const imageText = await readText(directory, path.join(root, 'vault', imagesName));
		const images = imageText.kind === 'text' ? parseImages(imageText.text) : new Map<string, TheirImage>();
		const records = typeof parsed === 'string' ? new Map<string, TheirRecord | string>() : parsed;
		const kept = await directoriesIn(vault);
		if (kept === undefined) problems.push(`${vault} may not be read.`);
		const names = [...new Set([...records.keys(), ...(kept ?? [])])].filter(isWanted).sort();
		if (names.length > mostInstances)
			problems.push(`There are more than ${mostInstances} instances; the rest is left out.`);
		for (const name of names.slice(0, mostInstances)) {
			signal.throwIfAborted();
			const image = images.get(name);
			const found = await diskOf(directory, vault, name, image?.file, signal);
			instances.push({scope, name, record: records.get(name), image, ...found});
		}
	}
	return {directory, instances, problems};
}

type Text =
	| {readonly kind: 'text'; readonly text: string}
	| {readonly kind: 'absent'}
	| {readonly kind: 'problem'; readonly problem: string};

async function readText(root: string, file: string): Promise<Text> {
	try {
		const found = await lstat(file);
		if (!found.isFile() || !(await isInside(root, file)))
			return {kind: 'problem', problem: `${file} is not a regular file`};
		if (found.size > mostBytes) {
			return {kind: 'problem', problem: `${file} cannot be used: it has more than ${mostBytes / mebibyte} MiB`};
		}
		return {kind: 'text', text: await readFile(file, 'utf8')};
	} catch (error) {
		const {code} = error as NodeJS.ErrnoException;
		if (code === 'ENOENT' || code === 'ENOTDIR') return {kind: 'absent'};
		return {
			kind: 'problem',
			problem: `${file} ${code === 'EACCES' ? 'may not be read' : `cannot be read (${code ?? 'unknown error'})`}`,
		};
	}
}

/** Whether a path is what it says, without a link on the way. @param root a real path */
async function isInside(root: string, file: string): Promise<boolean> {
	return path.relative(root, await realpath(file)) === path.relative(root, file);
}

/** @returns `undefined` when it may not be read; none where there is no such directory */
async function directoriesIn(vault: string): Promise<readonly string[] | undefined> {
	try {
		const entries = await readdir(vault, {withFileTypes: true});
		return entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
	} catch (error) {
		const {code} = error as NodeJS.ErrnoException;
		return code === 'ENOENT' || code === 'ENOTDIR' ? [] : undefined;
	}
}

const diskName = /\.(?:img|qcow2|raw|vdi|vhdx|vhd)$/i;

async function diskOf(
	root: string,
	vault: string,
	name: string,
	told: string | undefined,
	signal: AbortSignal,
): Promise<Pick<TheirInstance, 'file' | 'disk' | 'snapshots'>> {
	const none = (problem: string) => ({disk: {problem}, snapshots: 0});
	// What is a directory's name, and not a way to another one.
	if (name === '' || name === '.' || name === '..' || /[/\\\u0000-\u001F\u007F]/.test(name)) {
		return none('its name is not one of a directory');
	}
	const directory = path.join(vault, name);
	let names: string[];
	try {
		if (!(await isInside(root, directory))) return none('its directory is a link to another place');
		names = await readdir(directory);
	} catch (error) {
		const {code} = error as NodeJS.ErrnoException;
		return none(code === 'ENOENT' ? 'its disk is missing' : 'its directory may not be read');
	}
	const snapshots = names.filter(each => each.endsWith('.snapshot.json')).length;
	const disks = told !== undefined && names.includes(told) ? [told] : names.filter(each => diskName.test(each));
	const [first, ...others] = disks;
	if (first === undefined) return {disk: {problem: 'its disk is missing'}, snapshots};
	if (others.length > 0)
		return {disk: {problem: `which of ${disks.length} files is its disk cannot be told`}, snapshots};
	const file = path.join(directory, first);
	const isPlain = await lstat(file).then(
		found => found.isFile(),
		() => false,
	);
	if (!isPlain) return {disk: {problem: 'its disk is not a regular file'}, snapshots};
	return {file, disk: await lookAtDisk(file, signal), snapshots};
}
