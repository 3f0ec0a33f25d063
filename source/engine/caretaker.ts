import type {ImageStore} from '../images/image.ts';
import type {ImageReport, PruneReport} from '../model/image-info.ts';
import {isEnded} from '../model/operation.ts';
import type {Paths} from '../state/paths.ts';
import type {Layers} from './cloning/layers.ts';
import {imageUse} from './launching/image-use.ts';
import type {Operations} from './operations.ts';

/** Milliseconds from the start to the first look at the cache, out of the way of what the start is for. */
const firstLook = 60_000;
/** Milliseconds between two looks. */
const lookEvery = 6 * 3600 * 1000;

type CaretakerParts = {
	readonly paths: Paths;
	readonly images: ImageStore;
	readonly layers: Layers;
	readonly operations: Operations;
};

/** Looks after the cache of images: knows what is needed, and lets go of what was not used for long. */
export class Caretaker {
	readonly #parts: CaretakerParts;
	#timer: NodeJS.Timeout | undefined;

	constructor(parts: CaretakerParts) {
		this.#parts = parts;
	}

	/** Looks from time to time, until {@link close}. */
	open(): void {
		const look = () => {
			// What goes wrong here is nobody's business now; who asks for it is told.
			void this.#prune({ifDue: true}).catch(() => {});
			this.#timer = setTimeout(look, lookEvery).unref();
		};
		this.#timer = setTimeout(look, firstLook).unref();
	}

	close(): void {
		clearTimeout(this.#timer);
	}

	async list(): Promise<ImageReport> {
		const [report, {counts}] = await Promise.all([this.#parts.images.list(), imageUse(this.#parts.paths)]);
		return {
			...report,
			images: report.images.map(image => ({...image, instances: counts.get(image.hash) ?? 0})),
		};
	}

	async prune(all: boolean): Promise<PruneReport> {
		return (await this.#prune({all})) ?? {removed: [], kept: [], freed: 0};
	}

	async #prune(options: {all?: boolean; ifDue?: boolean}): Promise<PruneReport | undefined> {
		const {images, layers, operations, paths} = this.#parts;
		// A layer that is of no use may be all that an image is still needed for.
		await layers.sweep().catch(() => []);
		// A launch has its image before it has its disk.
		const launches = operations.all().filter(operation => operation.kind === 'launch' && !isEnded(operation));
		const usedSince = Math.min(...launches.map(({createdAt}) => createdAt));
		return images.prune({
			...options,
			use: () => imageUse(paths),
			...(launches.length === 0 ? {} : {usedSince}),
		});
	}
}
