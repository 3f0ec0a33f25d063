/** An image as `find` lists it. */
export type ImageInfo = {
	/** What `launch` takes. */
	readonly name: string;
	readonly remote: string;
	readonly aliases: readonly string[];
	readonly os: string;
	readonly release: string;
	readonly version: string;
	readonly description: string;
	readonly cached: boolean;
};
