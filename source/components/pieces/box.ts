import {fitLine, type Line, line, span} from './line.ts';

/** A frame with a title around lines; `width` includes the frame. */
export function boxed(title: string, content: readonly Line[], width: number): readonly Line[] {
	const inner = width - 4;
	const shown = title === '' ? '' : ` ${title} `.slice(0, width - 4);
	const top: Line = [span('┌─'), span(shown, 'title'), span(`${'─'.repeat(Math.max(0, width - 3 - shown.length))}┐`)];
	return [
		top,
		...content.map((row): Line => [span('│ '), ...fitLine(row, inner), span(' │')]),
		line(`└${'─'.repeat(width - 2)}┘`),
	];
}

/** `██████░░░░`: how much of something, at most `width` columns. */
export function bar(percent: number, width: number): string {
	const full = Math.round((Math.max(0, Math.min(100, percent)) / 100) * width);
	return '█'.repeat(full) + '░'.repeat(width - full);
}
