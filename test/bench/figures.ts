/** One measured value, as a row of the table. */
export type Figure = {
	readonly what: string;
	readonly value: string;
	/** What is aimed at; absent where the value is for information. */
	readonly aim?: string;
	/** Whether the aim is reached; absent where there is none. */
	readonly isReached?: boolean;
	/** How it was measured, or what it is made of. */
	readonly note?: string;
};

/** A figure with an upper limit that it is held against. */
export function limited(what: string, value: number, limit: number, unit: string, note?: string): Figure {
	const digits = unit === 'x' || unit.startsWith('%') ? 2 : unit === 'ms' ? 1 : 0;
	return {
		what,
		value: `${value.toFixed(digits)}${unit === 'x' ? 'x' : ` ${unit}`}`,
		aim: `${limit}${unit === 'x' ? 'x' : ` ${unit}`} or less`,
		isReached: value <= limit,
		...(note === undefined ? {} : {note}),
	};
}

/** The value below which the given part of the measurements lies. */
export function quantile(values: readonly number[], part: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	if (sorted.length === 0) return Number.NaN;
	return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
}

export function median(values: readonly number[]): number {
	return quantile(values, 0.5);
}

export function milliseconds(value: number): string {
	return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

/** A Markdown table: it can be read as it is and pasted. */
export function printFigures(figures: readonly Figure[]): void {
	const rows = [
		['', 'figure', 'value', 'aim', 'how'],
		...figures.map(({what, value, aim = '', isReached, note = ''}) => [
			isReached === undefined ? '' : isReached ? 'ok' : 'NOT',
			what,
			value,
			aim,
			note,
		]),
	];
	const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map(row => row[column]!.length)));
	const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
	console.log(line(rows[0]!));
	console.log(`|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`);
	for (const row of rows.slice(1)) console.log(line(row));
}
