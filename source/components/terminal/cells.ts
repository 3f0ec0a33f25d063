import stringWidth from 'string-width';

/** One column of a terminal. A character two columns wide is followed by a cell with no text. */
export type Cell = {readonly text: string; readonly style: string};

const token =
	/\u001B\[([\d;:]*)m|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)|\u001B\[[0-?]*[ -/]*[@-~]|[\u0020-\u007E]|[^\u001B\u0000-\u001F\u007F]/gu;

/** Which attribute an SGR code sets or clears; the ones of a group replace each other. */
function groupOf(code: number): string {
	if (code === 1 || code === 2 || code === 22) return 'weight';
	if (code === 3 || code === 23) return 'italic';
	if (code === 4 || code === 24) return 'underline';
	if (code === 7 || code === 27) return 'inverse';
	if (code === 9 || code === 29) return 'strike';
	if ((code >= 30 && code <= 39) || (code >= 90 && code <= 97)) return 'foreground';
	return 'background';
}

const clearing = new Set([22, 23, 24, 27, 29, 39, 49]);

/** The attributes in force, changed by one SGR sequence (`1;35`, or empty for a reset). */
function applySgr(style: Map<string, string>, parameters: string): void {
	const codes = parameters === '' ? [0] : parameters.split(/[;:]/).map(Number);
	for (let index = 0; index < codes.length; index++) {
		const code = codes[index]!;
		if (code === 0) style.clear();
		else if (clearing.has(code)) style.delete(groupOf(code));
		else if (code === 38 || code === 48) {
			// An extended colour brings its own parameters: 5;n or 2;r;g;b.
			const length = codes[index + 1] === 5 ? 3 : 5;
			style.set(groupOf(code === 38 ? 30 : 40), codes.slice(index, index + length).join(';'));
			index += length - 1;
		} else {
			const group = groupOf(code);
			const before = style.get(group);
			// Bold and dim may be in force together.
			style.set(group, group === 'weight' && before !== undefined && before !== String(code) ? '1;2' : String(code));
		}
	}
}

/** A line of text with SGR colours as cells. All other escape sequences are dropped. */
export function cellsOf(line: string): readonly Cell[] {
	const cells: Cell[] = [];
	const style = new Map<string, string>();
	let current = '';
	for (const [text, sgr] of line.matchAll(token)) {
		if (sgr !== undefined) {
			applySgr(style, sgr);
			current = [...style.values()].join(';');
		} else if (text.length === 1 && text <= '~') {
			cells.push({text, style: current});
		} else if (!text.startsWith('\u001B')) {
			addWide(cells, text, current);
		}
	}
	return cells;
}

function addWide(cells: Cell[], text: string, style: string): void {
	const width = stringWidth(text);
	if (width > 0 && !joinsPrevious(cells)) {
		cells.push({text, style});
		if (width === 2) cells.push({text: '', style});
		return;
	}
	// A combining mark, or what follows a joiner, belongs to the character before it.
	const index = cells.length - (cells.at(-1)?.text === '' ? 2 : 1);
	const before = cells[index];
	if (before) cells[index] = {...before, text: before.text + text};
}

function joinsPrevious(cells: readonly Cell[]): boolean {
	const last = cells.at(-1)?.text === '' ? cells.at(-2) : cells.at(-1);
	return last?.text.endsWith('\u200D') ?? false;
}
