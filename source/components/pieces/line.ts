import stringWidth from 'string-width';

/** What a style means; how it looks is decided in the theme. */
export type StyleName =
	| 'bold'
	| 'dim'
	| 'title'
	| 'key'
	| 'good'
	| 'rest'
	| 'busy'
	| 'problem'
	| 'selected'
	| 'input'
	| 'link';

/** A piece of text in one style. The text has been made safe to show before it comes here. */
export type Span = {readonly text: string; readonly style?: StyleName};
export type Line = readonly Span[];

export const span = (text: string, style?: StyleName): Span => (style === undefined ? {text} : {text, style});
export const line = (text: string, style?: StyleName): Line => [span(text, style)];

const ascii = /^[\u0020-\u007E]*$/;
const marks = {ellipsis: '…'} as const;

/** Columns a text takes on a terminal. */
export function widthOf(text: string): number {
	return ascii.test(text) ? text.length : stringWidth(text);
}

export function lineWidth(content: Line): number {
	return content.reduce((sum, piece) => sum + widthOf(piece.text), 0);
}

let segmenter: Intl.Segmenter | undefined;
function graphemes(text: string): string[] {
	segmenter ??= new Intl.Segmenter();
	return Array.from(segmenter.segment(text), part => part.segment);
}

/** The part of a text from one column to another; half of a wide character becomes a space. */
export function sliceText(text: string, from: number, to: number): string {
	if (ascii.test(text)) return text.slice(from, to);
	let column = 0;
	let result = '';
	for (const character of graphemes(text)) {
		const width = stringWidth(character);
		const end = column + width;
		if (column >= to) break;
		if (column >= from && end <= to) result += character;
		else if (end > from && column < to) result += ' '.repeat(Math.min(end, to) - Math.max(column, from));
		column = end;
	}
	return result;
}

/** A text cut with an ellipsis or filled with spaces to an exact width. */
export function fitText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
	if (width <= 0) return '';
	const length = widthOf(text);
	if (length > width) {
		const cut = sliceText(text, 0, width - 1) + marks.ellipsis;
		return cut + ' '.repeat(Math.max(0, width - widthOf(cut)));
	}
	const space = ' '.repeat(width - length);
	return align === 'left' ? text + space : space + text;
}

/** The columns of a line from one to another. */
export function sliceLine(content: Line, from: number, to: number): Line {
	const result: Span[] = [];
	let column = 0;
	for (const piece of content) {
		const width = widthOf(piece.text);
		if (column < to && column + width > from) {
			const text = sliceText(piece.text, Math.max(0, from - column), to - column);
			if (text !== '') result.push({...piece, text});
		}
		column += width;
	}
	return result;
}

/** A line cut or filled to an exact width. */
export function fitLine(content: Line, width: number): Line {
	const length = lineWidth(content);
	if (length === width) return content;
	if (length < width) return [...content, {text: ' '.repeat(width - length)}];
	if (width <= 0) return [];
	return [...sliceLine(content, 0, width - 1), {text: marks.ellipsis}];
}

/** One line with something at its left and something at its right end; the right part wins when both do not fit. */
export function spread(left: Line, right: Line, width: number): Line {
	const rightWidth = Math.min(lineWidth(right), width);
	const leftWidth = width - rightWidth - (rightWidth > 0 ? 1 : 0);
	if (leftWidth < 8 && lineWidth(left) > leftWidth) return fitLine(left, width);
	return [...fitLine(left, leftWidth), ...(rightWidth > 0 ? [span(' ')] : []), ...fitLine(right, rightWidth)];
}

/** Lines laid over others, at a row and a column counted from 0. */
export function overlay(base: readonly Line[], box: readonly Line[], row: number, column: number): readonly Line[] {
	return base.map((content, index) => {
		const over = box[index - row];
		if (over === undefined) return content;
		const width = lineWidth(over);
		const full = fitLine(content, Math.max(lineWidth(content), column + width));
		return [...sliceLine(full, 0, column), ...over, ...sliceLine(full, column + width, lineWidth(full))];
	});
}

/** Text broken at spaces into lines of at most `width` columns; words that are longer are cut. */
export function wrap(text: string, width: number): readonly string[] {
	const limit = Math.max(1, width);
	const lines: string[] = [];
	for (const paragraph of text.split('\n')) {
		let current = '';
		for (let word of paragraph.split(' ')) {
			const candidate = current === '' ? word : `${current} ${word}`;
			if (widthOf(candidate) <= limit) {
				current = candidate;
				continue;
			}
			if (current !== '') lines.push(current);
			while (widthOf(word) > limit) {
				lines.push(sliceText(word, 0, limit));
				word = sliceText(word, limit, Number.MAX_SAFE_INTEGER);
			}
			current = word;
		}
		lines.push(current);
	}
	return lines;
}

/** Exactly so many lines, cut or filled with empty ones. */
export function fill(lines: readonly Line[], height: number): readonly Line[] {
	if (lines.length >= height) return lines.slice(0, height);
	return [...lines, ...Array.from({length: height - lines.length}, () => [] as Line)];
}
