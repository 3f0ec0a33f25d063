/** An image as `find` lists it. */
export type ImageInfo = {
	/** What `launch` takes; with `remote:` before it where the name alone leads elsewhere. */
	readonly name: string;
	readonly remote: string;
	readonly aliases: readonly string[];
	readonly os: string;
	readonly release: string;
	readonly version: string;
	readonly description: string;
	/** `false`: its publisher does not care for it any more. */
	readonly supported?: boolean;
	readonly cached: boolean;
};

export type FindRequest = {
	/** `[remote:][string]`: a part of a name, an alias or a release, or the beginning of a hash. Empty: all. */
	readonly query: string;
	readonly showUnsupported?: boolean;
	/** Asks the servers even when what is known is young. */
	readonly forceUpdate?: boolean;
};

export type FoundImages = {
	readonly images: readonly ImageInfo[];
	/** Sentences a person should know: a catalogue that could not be refreshed, a signature that was not checked. */
	readonly notes: readonly string[];
};

/** An image that lies in the cache. */
export type StoredImage = {
	/** What it was asked for by, as far as that is known. */
	readonly name: string;
	/** `sha256:…` of its content. */
	readonly hash: string;
	/** `qcow2`, `raw`, `rootfs`. */
	readonly format: string;
	/** Bytes it takes on the disk. */
	readonly size: number;
	/** When it was last used for a launch, ISO 8601. */
	readonly usedAt: string;
	/** Where it came from: an address, a path, `built here`. */
	readonly source: string;
	/** How many instances have their disk on it; the engine knows. */
	readonly instances?: number;
};

export type ImageReport = {
	readonly images: readonly StoredImage[];
	/** Bytes all of it takes, downloads that were interrupted included. */
	readonly size: number;
	readonly directory: string;
};

export type PruneReport = {
	readonly removed: readonly StoredImage[];
	/** Those that are left, each with the reason. */
	readonly kept: ReadonlyArray<{readonly image: StoredImage; readonly reason: string}>;
	/** Bytes. */
	readonly freed: number;
};
