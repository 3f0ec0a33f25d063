export type BuildOptions = {
	readonly entry?: string;
	readonly directory?: string;
	readonly minify?: boolean;
	/** What the entry imports late that is not in the program for commands. */
	readonly late?: readonly string[];
};
export function build(options?: BuildOptions): Promise<{
	readonly bytes: number;
	readonly buildId: string;
	readonly applied: ReadonlySet<string>;
	readonly inputs: {readonly all: readonly string[]; readonly command: readonly string[]};
}>;
