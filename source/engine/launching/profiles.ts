import {open} from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import {checkCloudConfig} from '../../guest/seed.ts';
import {causeWords} from '../../model/cause-words.ts';
import {DroverError, errorData} from '../../model/errors.ts';
import {parseNetworkSpec} from '../../model/network-spec.ts';
import {type Profile, type Profiles, templateName} from '../../model/profile.ts';
import {limits, parseSize} from '../../model/sizes.ts';
import {listOf, plainLine} from '../../model/text.ts';
import {atHome, splitMount, type User} from '../../platform/home.ts';
import {pathsOf} from '../../platform/places.ts';
import {thisSystem} from '../../platform/system.ts';
import type {Paths} from '../../state/paths.ts';
import {readUserList, type UserItem} from '../../state/user-list.ts';
import {cloudTemplates} from './templates.ts';

/** The files in the config directory that are looked for; the first that is there is read. */
const fileNames = ['profiles.yaml', 'profiles.yml', 'profiles.json'] as const;
const longestCloudInit = 2 ** 20;

/** A profile with the text of its cloud-config, where that is not a template's. */
export type StoredProfile = Profile & {readonly cloudInitText?: string};

const line = v.pipe(v.string('must be a text'), v.maxLength(1000, 'is too long'), v.transform(plainLine));
const word = v.pipe(line, v.minLength(1, 'must not be empty'));
const list = (item: typeof word) => v.pipe(v.array(item, 'must be a list'), v.maxLength(32, 'is too long'));
const size = (least: number, what: string) =>
	v.pipe(
		v.union([v.string(), v.number()], 'must be a size, such as 2G'),
		v.transform(value => parseSize(String(value))),
		v.number('must be a size, such as 2G'),
		v.minValue(least, `must be at least ${what}`),
	);
const count = (what: string) => v.pipe(v.number(what), v.integer(what), v.minValue(1, what));

const schema = v.strictObject({
	name: v.pipe(
		v.string('must be a text'),
		v.regex(/^[A-Za-z\d][\w.-]{0,62}$/, 'must be letters, digits, dots, hyphens'),
	),
	description: v.optional(line, ''),
	image: v.exactOptional(word),
	cpus: v.exactOptional(count('must be a whole number, at least 1')),
	memory: v.exactOptional(size(limits.memoryMinimum, '128M')),
	disk: v.exactOptional(size(limits.diskMinimum, '512M')),
	'cloud-init': v.exactOptional(
		v.union(
			[v.pipe(v.string(), v.minLength(1)), v.record(v.string(), v.unknown())],
			'must be a path, or a cloud-config',
		),
	),
	mounts: v.optional(list(word), []),
	networks: v.optional(list(word), []),
	bridged: v.exactOptional(v.boolean('must be true or false')),
	target: v.exactOptional(word),
	timeout: v.exactOptional(v.pipe(count('must be whole seconds'), v.maxValue(2_147_483, 'is too long'))),
});
type Written = v.InferOutput<typeof schema>;

/** The user's profiles. What is wrong with one is told with its line, and the others stay. Never throws. */
export async function readProfiles(
	paths: Pick<Paths, 'config'>,
	user: User = thisSystem(),
): Promise<{readonly profiles: readonly StoredProfile[]; readonly problems: readonly string[]}> {
	const {items, problems} = await readUserList(paths.config, fileNames, 'profiles', schema);
	const profiles: StoredProfile[] = [];
	for (const item of items) {
		if (profiles.some(({name}) => name === item.value.name)) {
			problems.push(item.problem(['name'], `the name ${item.value.name} is there twice`, false));
			continue;
		}
		const read = await profileOf(item, paths, user);
		if (typeof read === 'string') problems.push(read);
		else profiles.push(read);
	}
	return {profiles, problems};
}

/** As clients see them: what is inside of a cloud-config stays here. */
export async function listProfiles(paths: Pick<Paths, 'config'>, user: User = thisSystem()): Promise<Profiles> {
	const {profiles, problems} = await readProfiles(paths, user);
	return {profiles: profiles.map(({cloudInitText: _, ...profile}) => profile), problems, directory: paths.config};
}

/** @throws DroverError `usage.invalid` when there is none of that name, or what is there cannot be used */
export async function findProfile(
	paths: Pick<Paths, 'config'>,
	name: string,
	user: User = thisSystem(),
): Promise<StoredProfile> {
	const {profiles, problems} = await readProfiles(paths, user);
	const found = profiles.find(profile => profile.name === name);
	if (found) return found;
	const shown = JSON.stringify(plainLine(name).slice(0, 80));
	const others = profiles.map(profile => profile.name);
	throw new DroverError(
		'usage.invalid',
		`There is no profile ${shown}${others.length > 0 ? `; there are ${listOf(others)}` : ''}.`,
		{next: problems[0] ?? `Profiles are written into ${path.join(paths.config, fileNames[0])}.`},
	);
}

/** @returns a sentence when something in it cannot be */
async function profileOf(
	item: UserItem<Written>,
	paths: Pick<Paths, 'config'>,
	user: User,
): Promise<StoredProfile | string> {
	const {'cloud-init': cloudInit, ...rest} = item.value;
	for (const [index, text] of rest.networks.entries()) {
		const problem = problemOf(() => parseNetworkSpec(text));
		if (problem !== undefined) return item.problem(['networks', index], problem, false);
	}
	for (const [index, text] of rest.mounts.entries()) {
		const problem = sourceProblem(mountParts(text, user).source, user);
		if (problem !== undefined) return item.problem(['mounts', index], problem);
	}
	if (cloudInit === undefined) return rest;
	const wrong = (what: string) => item.problem(['cloud-init'], what.replace(/\.$/, ''));
	if (typeof cloudInit === 'string' && !cloudInit.includes('\n')) {
		const template = templateName(cloudInit);
		if (template !== undefined) {
			const found = (await cloudTemplates(paths)).find(({name}) => name === template);
			if (found === undefined) return wrong('names a template that there is not');
			return found.problem === undefined ? {...rest, cloudInit} : wrong(`cannot be used: ${found.problem}`);
		}
	}
	try {
		const isFile = typeof cloudInit === 'string' && !cloudInit.includes('\n');
		const text = isFile
			? await readText(path.resolve(paths.config, atHome(cloudInit, user)))
			: typeof cloudInit === 'string'
				? cloudInit
				: (item.source('cloud-init') ?? '');
		await checkCloudConfig(text);
		return {...rest, cloudInit: isFile ? plainLine(cloudInit) : '', cloudInitText: text};
	} catch (error) {
		const why = error instanceof DroverError ? errorData(error).message : causeWords(error);
		return wrong(`cannot be used: ${why.replace(/^The cloud-init file cannot be used: /, '')}`);
	}
}

async function readText(file: string): Promise<string> {
	const handle = await open(file, 'r');
	try {
		const buffer = Buffer.alloc(longestCloudInit + 1);
		const {bytesRead} = await handle.read(buffer, 0, buffer.length, 0);
		if (bytesRead > longestCloudInit) throw new Error('it has more than 1 MiB');
		return buffer.toString('utf8', 0, bytesRead);
	} finally {
		await handle.close();
	}
}

/** `SRC[:DST]` taken apart, with the user's home written out. */
export function mountParts(
	text: string,
	user: User = thisSystem(),
): {readonly source: string; readonly target: string} {
	const {source, target = ''} = splitMount(text, user.platform);
	return {source: atHome(source, user), target};
}

function sourceProblem(source: string, {platform}: User): string | undefined {
	return pathsOf(platform).isAbsolute(source) ? undefined : 'must begin with a whole path: /srv/data or ~/data';
}

function problemOf(act: () => unknown): string | undefined {
	try {
		act();
		return undefined;
	} catch (error) {
		return errorData(error).message.replace(/\.$/, '');
	}
}
