/** A named set of wishes for a launch, as clients see it. Memory and disk in bytes. */
export type Profile = {
	readonly name: string;
	readonly description: string;
	readonly image?: string;
	readonly cpus?: number;
	readonly memory?: number;
	readonly disk?: number;
	/** Where its cloud-config is: `template:NAME`, a path, or empty when it stands in the profile itself. */
	readonly cloudInit?: string;
	/** `directory[:where in the guest]` each. */
	readonly mounts: readonly string[];
	/** As `--network` takes them. */
	readonly networks: readonly string[];
	readonly bridged?: boolean;
	readonly target?: string;
	/** Seconds the guest may take to answer, and to initialize itself. */
	readonly timeout?: number;
};

export type Profiles = {
	readonly profiles: readonly Profile[];
	/** Sentences about what could not be used in the file they are in. */
	readonly problems: readonly string[];
	/** The directory that file is looked for in. */
	readonly directory: string;
};

/** A cloud-config that can be chosen by its name. */
export type CloudTemplate = {
	readonly name: string;
	/** A few words: what an instance is with it. */
	readonly title: string;
	/** What else is worth knowing; may be empty. */
	readonly about: string;
	/** The file of the user's it is in; absent for those that come with drover. */
	readonly file?: string;
	readonly text: string;
	/** Why it cannot be used. */
	readonly problem?: string;
};

/** What stands before the name of a template where a file could stand too. */
export const templatePrefix = 'template:';

/** `docker` of `template:docker`; nothing for anything else. */
export function templateName(source: string): string | undefined {
	return source.startsWith(templatePrefix) ? source.slice(templatePrefix.length) : undefined;
}
