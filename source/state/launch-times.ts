import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import type {DriverName} from '../model/driver-name.ts';
import {type LaunchTimes, type PartTimes, withTimes} from '../model/launch-times.ts';
import {writeAtomic} from './atomic.ts';
import type {Paths} from './paths.ts';

/** So many images are remembered, those that were launched last. */
const mostImages = 64;
/** Bytes; a longer file is none of ours. */
const longest = 2 ** 20;

const times = v.pipe(v.array(v.pipe(v.number(), v.finite(), v.minValue(0))), v.maxLength(20));
const schema = v.object({
	schema: v.literal(1),
	images: v.record(v.string(), v.object({create: times, boot: times, init: v.record(v.string(), times)})),
});
type Images = Readonly<Record<string, LaunchTimes>>;

/** The same disk boots in another time under another driver. */
export type LaunchKind = {readonly driver: DriverName /** `sha256:…` */; readonly image: string};

const keyOf = ({driver, image}: LaunchKind) => `${driver} ${image}`;
const fileOf = (paths: Pick<Paths, 'data'>) => path.join(paths.data, 'launch-times.json');

/** What a cloud-config is known by here. */
export function configKey(cloudInit: string | undefined): string {
	return cloudInit === undefined ? '' : createHash('sha256').update(cloudInit).digest('hex').slice(0, 16);
}

/** What earlier launches took. Never throws: a file that cannot be read is as if there were none. */
export async function readLaunchTimes(paths: Pick<Paths, 'data'>, kind: LaunchKind): Promise<LaunchTimes | undefined> {
	const images = await readImages(paths);
	return Object.hasOwn(images, keyOf(kind)) ? images[keyOf(kind)] : undefined;
}

/** Whoever writes waits for whoever wrote before: each starts from what is there. */
let lastWrite: Promise<unknown> = Promise.resolve();

/** Remembers what one launch took. @throws DroverError `host.*` */
export function rememberLaunch(
	paths: Pick<Paths, 'data'>,
	kind: LaunchKind,
	config: string,
	took: PartTimes,
): Promise<void> {
	const turn = lastWrite.then(async () => {
		const {[keyOf(kind)]: own, ...others} = await readImages(paths);
		const all = [...Object.entries(others), [keyOf(kind), withTimes(own, config, took)] as const];
		const images = Object.fromEntries(all.slice(-mostImages));
		await writeAtomic(fileOf(paths), `${JSON.stringify({schema: 1, images})}\n`);
	});
	lastWrite = turn.catch(() => {});
	return turn;
}

async function readImages(paths: Pick<Paths, 'data'>): Promise<Images> {
	try {
		const text = await readFile(fileOf(paths), 'utf8');
		return text.length > longest ? {} : v.parse(schema, JSON.parse(text)).images;
	} catch {
		return {};
	}
}
