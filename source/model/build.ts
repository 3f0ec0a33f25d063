declare global {
	/** Put in by `scripts/build.mjs`; absent when the sources are run as they are. */
	var droverBuild: {readonly version: string; readonly id: string} | undefined;
}

const build = globalThis.droverBuild ?? {version: '0.0.0-source', id: 'source'};

/** drover's version, as in package.json. */
export const version: string = build.version;

/** Differs between any two builds whose content differs. */
export const buildId: string = build.id;
