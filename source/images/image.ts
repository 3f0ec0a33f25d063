import type {ImageInfo} from '../model/image-info.ts';

/** What a query stands for, found without downloading anything. */
export type ResolvedImage = {
	readonly query: string;
	/** `micro`, `file` or `http`: who provides it. */
	readonly provider: string;
	readonly os: string;
	readonly release: string;
	/** The user that cloud-init makes or that is there: `ubuntu`, `debian`. */
	readonly user: string;
	/** Smallest memory in bytes it is known to boot with. */
	readonly memoryMinimum: number;
	/** What `launch` gives it when the user says nothing, in bytes. */
	readonly memoryDefault: number;
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
	/** What can be launched by name. */
	find(query: string): Promise<readonly ImageInfo[]>;
};
