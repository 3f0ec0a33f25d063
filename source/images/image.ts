import type {FindRequest, FoundImages, ImageReport, PruneReport} from '../model/image-info.ts';
import type {CatalogueEntry} from './catalogue/entry.ts';

/** What a query stands for, found without downloading anything. */
export type ResolvedImage = {
	readonly query: string;
	/** `micro`, `file`, `http` or `catalogue`: who provides it. */
	readonly provider: string;
	readonly os: string;
	readonly release: string;
	/** The user that cloud-init makes or that is there: `ubuntu`, `debian`. */
	readonly user: string;
	/** Smallest memory in bytes it is known to boot with. */
	readonly memoryMinimum: number;
	/** What `launch` gives it when the user says nothing, in bytes. */
	readonly memoryDefault: number;
	/** Smallest disk in bytes it is known to work with, where its catalogue tells. */
	readonly diskMinimum?: number;
	/** What its catalogue says of it. */
	readonly entry?: CatalogueEntry;
	/** Sentences for the log of what is done with it: how old the catalogue is, what could not be checked. */
	readonly notes?: readonly string[];
};

/** An image in the cache: verified, complete, read-only (0444), never changed in place. */
export type CachedImage = {
	readonly path: string;
	/** `rootfs`: a tar archive with `metadata.yaml`, `templates/` and `rootfs/`, as LXD and Incus have it. */
	readonly format: 'qcow2' | 'raw' | 'rootfs';
	/** `sha256:…` of the file's bytes. */
	readonly hash: string;
	/** Bytes a disk made from it must have at least. */
	readonly virtualSize: number;
};

export type ImageWork = {
	readonly signal: AbortSignal;
	progress(stage: string, percent?: number): void;
	log(line: string): void;
};

/** `disk`: for a virtual machine (the default); `rootfs`: for a container. */
export type ImageForm = 'disk' | 'rootfs';

/** Images for every scope and driver, cached once by content. */
export type ImageStore = {
	/** @throws DroverError `image.unknown` (what was asked, what there is), `image.unusable` */
	resolve(query: string): Promise<ResolvedImage>;
	/** Makes sure it is in the cache. One piece of work for concurrent callers. @throws DroverError `image.*`, `host.*`, `operation.cancelled` */
	fetch(image: ResolvedImage, work: ImageWork, form?: ImageForm): Promise<CachedImage>;
	/** What can be launched by name. @throws DroverError `image.*` when it is about one catalogue and that cannot be had */
	find(request: FindRequest): Promise<FoundImages>;
	/** What is in the cache. */
	list(): Promise<ImageReport>;
	/** Removes what has not been used for a fortnight, or all that may be removed; `undefined`: it was not due. */
	prune(options: PruneOptions): Promise<PruneReport | undefined>;
};

/** Which images are needed by what is there. */
export type ImageUse = {
	/** How many instances have their disk on an image, by its `sha256:…`. */
	readonly counts: ReadonlyMap<string, number>;
	/** Instances of which that cannot be told: while there are any, nothing is removed. */
	readonly unclear: readonly string[];
};

export type PruneOptions = {
	/** Asked for when it is known that something is to be done, and only then. */
	readonly use: () => Promise<ImageUse>;
	/** All that no instance needs, however lately it was used. */
	readonly all?: boolean;
	/** Images used since then are needed by work under way: milliseconds since the epoch. */
	readonly usedSince?: number;
	/** Only when the last time was six hours ago or more. */
	readonly ifDue?: boolean;
};
