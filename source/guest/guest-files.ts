/** How something is copied into a guest or out of it. */
export type CopyOptions = {
	/** Also directories, with all that is in them. */
	readonly recursive?: boolean;
	/** Makes missing directories above the target. */
	readonly parents?: boolean;
	/** The target is a directory, and what is copied goes into it; with `parents` it is made. */
	readonly into?: boolean;
	/** Told the bytes that were copied since the last time. */
	readonly onBytes?: (count: number) => void;
};

/**
 * The files of a guest. Paths in it are absolute, or relative to its user's home. A target that is a directory gets what
 * is copied into it, under its own name; one that is not there becomes it.
 */
export type GuestFiles = {
	/** Copies a file, a directory, or a stream into the guest. @throws DroverError */
	push(source: string | NodeJS.ReadableStream, target: string, options?: CopyOptions): Promise<void>;
	/** Copies a file or a directory out of the guest, to a path or a stream. @throws DroverError */
	pull(source: string, target: string | NodeJS.WritableStream, options?: CopyOptions): Promise<void>;
	close(): Promise<void>;
};
