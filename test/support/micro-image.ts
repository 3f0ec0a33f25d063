import {cpSync, linkSync, mkdirSync, readdirSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import type {CachedImage, ImageStore, ImageWork} from '../../source/images/image.ts';
import {buildMicro} from '../../source/images/micro/build-micro.ts';
import {kernels} from '../../source/images/micro/recipe.ts';
import {createImageStore} from '../../source/images/store.ts';

/** Shared by all test files and kept from run to run: building the image takes half a minute. */
export const imageCache = fileURLToPath(new URL('../../node_modules/.cache/drover-test', import.meta.url));

const silent: ImageWork = {signal: new AbortController().signal, progress() {}, log() {}};

/** The micro image as users get it, built by the first test that asks. */
export async function microImage(): Promise<CachedImage> {
	const store = createImageStore({paths: {cache: path.join(imageCache)}});
	return store.fetch(await store.resolve('micro'), silent);
}

/** Images as users get them, from the tests' cache. */
export function cloudImages(): ImageStore {
	return createImageStore({paths: {cache: imageCache}});
}

/** Images whose micro has a kernel that knows 9p: it boots half as fast. */
export function genericImages(): ImageStore {
	return createImageStore({
		paths: {cache: path.join(imageCache, 'generic')},
		buildMicro: (directory, work, form) => buildMicro(directory, work, form, kernels.generic),
	});
}

/** The same as a container's root. */
export async function microRoot(): Promise<CachedImage> {
	const store = createImageStore({paths: {cache: path.join(imageCache)}});
	return store.fetch(await store.resolve('micro'), silent, 'rootfs');
}

/** Cached images are never changed in place, so homes may share the files; across file systems they are copied. */
export function copyByLink(from: string, to: string): void {
	mkdirSync(to, {recursive: true, mode: 0o700});
	for (const entry of readdirSync(from, {withFileTypes: true})) {
		const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
		if (entry.isDirectory()) copyByLink(source, target);
		else {
			try {
				linkSync(source, target);
			} catch {
				cpSync(source, target);
			}
		}
	}
}
