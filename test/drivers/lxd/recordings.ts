import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../../recordings');

export type Recording = {
	readonly name: string;
	readonly method: string;
	readonly path: string;
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
};

export const flavours = ['lxd', 'incus'] as const;

/** An answer of a real server: `METHOD PATH`, headers, body, `--- STATUS`, headers, body. */
export function recording(flavour: (typeof flavours)[number], name: string): Recording {
	const text = readFileSync(path.join(root, flavour, `${name}.txt`), 'utf8');
	const request = /^(\S+) (\S+)/.exec(text)!;
	const at = /^--- (\d+)[^\n]*\n/m.exec(text)!;
	const rest = text.slice(at.index + at[0].length);
	const split = rest.indexOf('\n\n');
	return {
		name,
		method: request[1]!,
		path: request[2]!,
		status: Number(at[1]),
		headers: Object.fromEntries(
			rest
				.slice(0, split)
				.split('\n')
				.map(line => line.split(': ', 2) as [string, string]),
		),
		body: rest.slice(split + 2).trim(),
	};
}

export function recordings(flavour: (typeof flavours)[number]): Recording[] {
	return readdirSync(path.join(root, flavour))
		.filter(file => file.endsWith('.txt'))
		.map(file => recording(flavour, file.slice(0, -4)));
}

export function recordedLines(flavour: (typeof flavours)[number], file: string): string[] {
	return readFileSync(path.join(root, flavour, file), 'utf8')
		.trim()
		.split('\n');
}

export function recordedJson(flavour: (typeof flavours)[number], file: string): unknown {
	return JSON.parse(readFileSync(path.join(root, flavour, file), 'utf8'));
}
