import path from 'node:path';
import * as v from 'valibot';
import {parseSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {parseUserList, readUserList, type UserList} from '../../state/user-list.ts';
import {parseDigest} from '../digest.ts';
import type {CatalogueEntry, ChecksumFile} from './entry.ts';

/** The files in the config directory that are looked for; the first that is there is read. */
export const userFileNames = ['images.yaml', 'images.yml', 'images.json'] as const;

export type UserCatalogue = {
	readonly entries: readonly CatalogueEntry[] /** Sentences. */;
	readonly problems: string[];
};

const name = v.pipe(
	v.string('must be a text'),
	v.regex(/^[A-Za-z\d][\w.+-]{0,62}$/, 'must be letters, digits, dots, hyphens'),
	v.check(
		text => !['micro', 'default', 'lts', 'ubuntu'].includes(text.toLowerCase()),
		'is a name that stands for another image',
	),
);
const line = v.pipe(v.string('must be a text'), v.maxLength(100, 'is too long'), v.transform(plainLine));
const https = v.pipe(
	v.string('must be a text'),
	v.maxLength(2000, 'is too long'),
	v.check(text => URL.canParse(text) && new URL(text).protocol === 'https:', 'must be an https:// address'),
	v.check(text => !/^https:\/\/[^/]*@/.test(text), 'must not hold a user name or password'),
);
const size = v.pipe(
	v.union([v.string(), v.number()], 'must be a size, such as 512M'),
	v.transform(value => parseSize(String(value))),
	v.number('must be a size, such as 512M'),
);
const file = v.pipe(
	v.strictObject({
		url: https,
		checksum: v.optional(
			v.pipe(
				v.string('must be a text'),
				v.transform(text => parseDigest(text)),
				v.object({algorithm: v.picklist(['sha256', 'sha512']), hex: v.string()}, 'must be sha256:… or sha512:…'),
			),
		),
		'checksum-file': v.optional(https),
		signature: v.optional(https),
		keyring: v.optional(
			v.pipe(
				v.string('must be a text'),
				v.check(text => path.isAbsolute(text), 'must be an absolute path'),
			),
		),
	}),
	v.check(
		one => (one.checksum === undefined) !== (one['checksum-file'] === undefined),
		'needs one of checksum and checksum-file',
	),
	v.check(
		one => one.keyring === undefined || one['checksum-file'] !== undefined,
		'has a keyring, which is of use with a checksum-file only',
	),
	v.check(one => one.signature === undefined || one.keyring !== undefined, 'has a signature and needs its keyring'),
);
const image = v.strictObject({
	name,
	aliases: v.optional(v.pipe(v.array(name, 'must be a list'), v.maxLength(50, 'is too long')), []),
	os: v.optional(line, ''),
	release: v.optional(line, ''),
	version: v.optional(line, ''),
	user: v.pipe(v.string('must be a text'), v.regex(/^[a-z_][\w-]{0,31}$/, 'must be a user name')),
	memory: v.optional(size),
	disk: v.optional(size),
	amd64: v.optional(file),
	arm64: v.optional(file),
	armhf: v.optional(file),
	ppc64el: v.optional(file),
	riscv64: v.optional(file),
	s390x: v.optional(file),
});

/** The images a user has added. Nothing is there: none. One that is wrong is told and left out, the others stay. */
export async function readUserFile(directory: string, architecture: string): Promise<UserCatalogue> {
	return catalogueOf(await readUserList(directory, userFileNames, 'images', image), architecture);
}

export async function parseUserFile(text: string, fileName: string, architecture: string): Promise<UserCatalogue> {
	return catalogueOf(await parseUserList(text, fileName, 'images', image), architecture);
}

function catalogueOf({items, problems}: UserList<v.InferOutput<typeof image>>, architecture: string): UserCatalogue {
	const entries: CatalogueEntry[] = [];
	const taken = new Set<string>();
	for (const {value, problem} of items) {
		const names = [value.name, ...value.aliases].map(word => word.toLowerCase());
		const twice = names.find((word, at) => taken.has(word) || names.indexOf(word) !== at);
		if (twice !== undefined) {
			problems.push(problem(['name'], `the name ${twice} is there twice`, false));
			continue;
		}
		for (const word of names) taken.add(word);
		const entry = entryOf(value, architecture);
		if (entry !== undefined) entries.push(entry);
	}
	return {entries, problems};
}

function entryOf(read: v.InferOutput<typeof image>, architecture: string): CatalogueEntry | undefined {
	const found = (read as Record<string, unknown>)[architecture] as v.InferOutput<typeof file> | undefined;
	if (found === undefined) return undefined;
	return {
		remote: '',
		name: read.name,
		aliases: read.aliases,
		os: read.os,
		release: read.release || (read.os === '' ? read.name : ''),
		version: read.version || 'latest',
		user: read.user,
		supported: true,
		url: found.url,
		checksum: found.checksum ?? checksumFile(found),
		...(read.memory === undefined ? {} : {memoryMinimum: read.memory}),
		...(read.disk === undefined ? {} : {diskMinimum: read.disk}),
	};
}

function checksumFile(found: v.InferOutput<typeof file>): ChecksumFile {
	const {'checksum-file': url = '', signature, keyring} = found;
	if (keyring === undefined) return {url};
	return {
		url,
		signing: {
			kind: signature === undefined ? 'clear' : 'detached',
			...(signature === undefined ? {} : {url: signature}),
			keyrings: [keyring],
			keysFrom: keyring,
		},
	};
}
