const units: Readonly<Record<string, number>> = {'': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30};

export const mebibyte = 2 ** 20;
export const gibibyte = 2 ** 30;

/** Smallest and default sizes of an instance, in bytes (Multipass 1.16). */
export const limits = {
	memoryMinimum: 128 * mebibyte,
	diskMinimum: 512 * mebibyte,
	memoryDefault: gibibyte,
	diskDefault: 5 * gibibyte,
	cpusDefault: 1,
} as const;

/**
 * Reads a size as Multipass does: B, K, M, G in any case with an optional `B` or `iB`, all binary;
 * decimals only with a unit; blanks around but not inside. `undefined` when it is not a size.
 * @returns whole bytes
 */
export function parseSize(text: string): number | undefined {
	const match = /^\s*(\d+)(\.\d+)?(?:([kmg])(?:i?b)?|(b))?\s*$/i.exec(text);
	if (!match) return undefined;
	const [, whole, fraction, unit, byte] = match;
	if (fraction !== undefined && unit === undefined && byte === undefined) return undefined;
	const bytes = Math.floor(Number(`${whole}${fraction ?? ''}`) * units[(unit ?? '').toLowerCase()]!);
	return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `2.0G`, `512M`, `0B`: short, for tables. One decimal from 1 G on. */
export function formatSize(bytes: number): string {
	if (bytes >= gibibyte) return `${(bytes / gibibyte).toFixed(1)}G`;
	if (bytes >= mebibyte) return `${Math.round(bytes / mebibyte)}M`;
	if (bytes >= 1024) return `${Math.round(bytes / 1024)}K`;
	return `${Math.round(bytes)}B`;
}

/** `5.0GiB`: as Multipass prints a size in settings and in `info`. */
export function humanSize(bytes: number): string {
	if (bytes >= gibibyte) return `${(bytes / gibibyte).toFixed(1)}GiB`;
	if (bytes >= mebibyte) return `${(bytes / mebibyte).toFixed(1)}MiB`;
	if (bytes >= 1024) return `${(bytes / 1024).toFixed(1)}KiB`;
	return `${bytes}B`;
}
