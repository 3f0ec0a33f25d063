export function isNewEnough(version: string): boolean;
export function hasPackages(root: string): boolean;
export function isBuilt(root: string): boolean;
export function setUpOnWindows(host: {
	readonly root: string;
	readonly node: string;
	readonly version: string;
	readonly npm: string | undefined;
	readonly run: (program: string, args: readonly string[]) => Promise<number>;
	readonly say: (line: string) => void;
}): Promise<void>;
