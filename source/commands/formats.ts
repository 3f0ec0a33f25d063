import {plainLine, plainText} from '../model/text.ts';
import type {CommandArguments} from './command.ts';
import {usageError} from './parse.ts';

export const formats = ['table', 'json', 'csv', 'yaml'] as const;
export type Format = (typeof formats)[number];

/** @throws DroverError `usage.invalid` for a format the command does not have */
export function formatOf<F extends Format>(args: CommandArguments, allowed: readonly F[]): F {
	const text = args.value('format') ?? 'table';
	const found = allowed.find(format => format === text);
	if (found) return found;
	throw usageError('Invalid format type given.', `Valid formats are ${allowed.join(', ')}.`);
}

export function jsonText(data: unknown): string {
	return `${JSON.stringify(data, undefined, 4)}\n`;
}

/** One line of CSV. A field is quoted only where it must be. */
export function csvLine(fields: readonly string[]): string {
	return `${fields.map(csvField).join(',')}\n`;
}

/** The same with one field more, which is always quoted, as in Multipass; line breaks stay in it. */
export function csvLineQuoting(fields: readonly string[], last: string): string {
	return `${fields.map(csvField).join(',')},${quoted(plainText(last))}\n`;
}

function csvField(text: string): string {
	const plain = plainLine(text);
	return /[",]/.test(plain) ? quoted(plain) : plain;
}

function quoted(text: string): string {
	return `"${text.replaceAll('"', '""')}"`;
}

/** Data as YAML; see `yaml.ts`. */
export async function yamlText(data: unknown): Promise<string> {
	const {toYaml} = await import('./yaml.ts');
	return toYaml(data);
}

/** The JSON or YAML of the same data. */
export async function dataText(format: 'json' | 'yaml', data: unknown): Promise<string> {
	return format === 'json' ? jsonText(data) : yamlText(data);
}

/** Width of a column as Multipass has it: the longest text and three blanks, or the minimum. */
export function columnWidth(texts: readonly string[], minimum = 0): number {
	return Math.max(minimum, ...texts.map(text => text.length + 3));
}

/** Rows of a table; the last column is not padded, and no line ends with blanks. */
export function tableText(rows: ReadonlyArray<readonly string[]>, widths: readonly number[]): string {
	return rows
		.map(row => row.map((text, index) => text.padEnd(widths[index] ?? 0)).join(''))
		.map(line => `${line.trimEnd()}\n`)
		.join('');
}

/** A table whose columns are as wide as what is in them, two blanks apart. */
export function compactTable(rows: ReadonlyArray<readonly string[]>): string {
	const count = Math.max(0, ...rows.map(row => row.length));
	const widths = Array.from({length: count}, (_, index) =>
		Math.max(0, ...rows.map(row => (row[index] ?? '').length + 2)),
	);
	return tableText(rows, widths);
}

/** Breaks a text at blanks into lines of at most `width` columns; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = '';
	for (const word of text.split(/ +/)) {
		if (line !== '' && line.length + 1 + word.length > width) {
			lines.push(line);
			line = word;
		} else {
			line = line === '' ? word : `${line} ${word}`;
		}
	}
	lines.push(line);
	return lines;
}

/** `text` under a hanging label, wrapped to 80 columns. */
export function labelled(label: string, text: string, indent: number): string {
	const lines = wrap(plainLine(text), 80 - indent);
	return lines.map((line, index) => `${(index === 0 ? label : '').padEnd(indent)}${line}`.trimEnd()).join('\n');
}
