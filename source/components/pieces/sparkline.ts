const marks = ' ▁▂▃▄▅▆▇█';

/**
 * The last of some values as a row of bars, the newest at the right, filled up with blanks at the left. The scale is
 * fixed, so that one high value changes no other bar, and nothing is a blank, so that an idle graph costs no byte.
 * @param levels 0 (nothing) to 8 for each value; `undefined`, not known, is a gap too
 */
export function sparkline(levels: ReadonlyArray<number | undefined>, width: number): string {
	const bars = levels.slice(-Math.max(0, width)).map(level => markAt(level ?? 0));
	return bars.join('').padStart(Math.max(0, width));
}

function markAt(level: number): string {
	return marks[Math.max(0, Math.min(marks.length - 1, Math.round(level)))]!;
}

/** 0 to 100 percent. Anything at all is more than nothing. */
export function percentLevel(percent: number): number {
	return percent < 1 ? 0 : Math.max(1, (percent / 100) * 8);
}

/** Bytes a second, each bar eight times as much as the one below: 1 K/s is the lowest, 2 G/s the highest. */
export function rateLevel(bytes: number): number {
	return bytes < 100 ? 0 : Math.max(1, Math.log2(bytes / 1024) / 3 + 1);
}
