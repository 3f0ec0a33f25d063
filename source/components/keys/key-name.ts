/** A key press: its name for the registry, and the text it types. */
export type KeyPress = {readonly name: string; readonly text: string};

/** The part of Ink's key object that is used; Ink is not imported so that this stays testable alone. */
export type RawKey = {
	readonly upArrow: boolean;
	readonly downArrow: boolean;
	readonly leftArrow: boolean;
	readonly rightArrow: boolean;
	readonly pageDown: boolean;
	readonly pageUp: boolean;
	readonly home: boolean;
	readonly end: boolean;
	readonly return: boolean;
	readonly escape: boolean;
	readonly ctrl: boolean;
	readonly shift: boolean;
	readonly tab: boolean;
	readonly backspace: boolean;
	readonly delete: boolean;
	readonly meta: boolean;
};

const named: ReadonlyArray<readonly [keyof RawKey, string]> = [
	['upArrow', 'up'],
	['downArrow', 'down'],
	['leftArrow', 'left'],
	['rightArrow', 'right'],
	['pageUp', 'pgup'],
	['pageDown', 'pgdn'],
	['home', 'home'],
	['end', 'end'],
	['return', 'enter'],
	['escape', 'esc'],
	['backspace', 'backspace'],
	['delete', 'delete'],
];

/** One event of the input as key presses: fast typing and slow links deliver several characters as one. */
export function keyPresses(input: string, key: RawKey): readonly KeyPress[] {
	for (const [flag, name] of named) if (key[flag]) return [{name, text: ''}];
	if (key.tab) return [{name: key.shift ? 'shift-tab' : 'tab', text: ''}];
	if (key.meta) return [];
	if (key.ctrl) return input === '' ? [] : [{name: `ctrl-${input}`, text: ''}];
	return [...input].flatMap(character => press(character) ?? []);
}

function press(character: string): KeyPress | undefined {
	if (character === ' ') return {name: 'space', text: ' '};
	if (character === '\r' || character === '\n') return {name: 'enter', text: ''};
	if (character === '\t') return {name: 'tab', text: ''};
	// Of the control keys this one edits: what was meant to be cleared must not be added to.
	if (character === '\u0015') return {name: 'ctrl-u', text: ''};
	if (character < ' ' || character === '\u007F') return undefined;
	return {name: character, text: character};
}

const movement = new Set(['j', 'k', 'g', 'G']);

/** Of several characters in one event only movement is obeyed: anything else may be a torn sequence or a paste. */
export function burst(presses: readonly KeyPress[]): {
	readonly obeyed: readonly KeyPress[];
	readonly dropped: number;
} {
	if (presses.length <= 1) return {obeyed: presses, dropped: 0};
	const obeyed = presses.filter(key => movement.has(key.name));
	return {obeyed, dropped: presses.length - obeyed.length};
}
