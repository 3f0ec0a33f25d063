export type Size = {readonly columns: number; readonly rows: number};

/** The smallest terminal on which screens are drawn. */
export const smallest: Size = {columns: 40, rows: 10};

export function isTiny({columns, rows}: Size): boolean {
	return columns < smallest.columns || rows < smallest.rows;
}

/** Two header lines, the body, a rule where there is room, the reserved status line, the hint line. */
export type Layout = {
	readonly width: number;
	readonly bodyHeight: number;
	readonly hasRule: boolean;
};

export function layoutOf({columns, rows}: Size): Layout {
	const hasRule = rows >= 16;
	return {width: columns, bodyHeight: Math.max(1, rows - 4 - (hasRule ? 1 : 0)), hasRule};
}

/** From this width on the info pane stands beside the table. */
export const paneFrom = 110;

export function hasPane({columns}: Size, isPaneOpen: boolean): boolean {
	return isPaneOpen && columns >= paneFrom;
}

/** From this width on the table has columns for what instances use: what is not shown is not asked for either. */
export const usageFrom = 120;

/** Rows of instances on the screen: the body less the line of column titles. */
export function tableHeight(size: Size): number {
	return Math.max(1, layoutOf(size).bodyHeight - 1);
}

/** The first row shown, moved as little as needed so that one row is on the screen. */
export function scrollTo(index: number, top: number, height: number, count: number): number {
	const wanted = index < top ? index : index >= top + height ? index - height + 1 : top;
	return Math.max(0, Math.min(wanted, count - height));
}
