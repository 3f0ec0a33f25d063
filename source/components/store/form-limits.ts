import type {HostFacts} from '../../engine/engine.ts';
import {formatSize, gibibyte, limits, mebibyte, parseSize} from '../../model/sizes.ts';

/*
 * What can be wrong with a field, in words; `undefined` when it is right. A blank field is right: it stands for what is
 * usual.
 */

export function cpusProblem(text: string, host: HostFacts | undefined): string | undefined {
	if (text === '') return undefined;
	if (!/^\d+$/.test(text)) return 'not a whole number';
	const count = Number(text);
	if (count < 1) return 'at least 1';
	if (host && count > host.cpus) return `this host has ${host.cpus}`;
	return undefined;
}

export function memoryProblem(text: string, host: HostFacts | undefined): string | undefined {
	return sizeProblem(text, limits.memoryMinimum) ?? tooMuch(text, host?.memoryTotal);
}

function tooMuch(text: string, most: number | undefined): string | undefined {
	const bytes = parseSize(text);
	return bytes !== undefined && most !== undefined && bytes > most ? `this host has ${formatSize(most)}` : undefined;
}

/** @param least bytes */
export function sizeProblem(text: string, least: number): string | undefined {
	if (text.trim() === '') return undefined;
	const bytes = parseSize(text);
	if (bytes === undefined) return 'not a size: write 2G, 2048M or 2147483648';
	return bytes < least ? `at least ${formatSize(least)}` : undefined;
}

/** A number of bytes as one would type it, to the byte: `2G`, `1536M`, `1000000`. */
export function sizeText(bytes: number): string {
	for (const [unit, size] of [
		['G', gibibyte],
		['M', mebibyte],
		['K', 1024],
	] as const) {
		if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
	}
	return String(bytes);
}

export const cpusNote = (host: HostFacts | undefined) => (host ? `1-${host.cpus}` : 'at least 1');

export const memoryNote = (host: HostFacts | undefined) =>
	`min ${formatSize(limits.memoryMinimum)}${host ? `, ${formatSize(host.memoryAvailable)} free` : ''}`;
