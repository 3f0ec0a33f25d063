import type {InstanceState} from '../../model/state.ts';
import {fitLine, type Line, type StyleName, widthOf} from './line.ts';

type Look = {readonly color: string; readonly mono: string};

/** SGR parameters with the terminal's own 16 colours, and without colours. No background is ever filled. */
const looks: Readonly<Record<StyleName, Look>> = {
	bold: {color: '1', mono: '1'},
	dim: {color: '2', mono: ''},
	title: {color: '1', mono: '1'},
	key: {color: '1', mono: '1'},
	good: {color: '32', mono: ''},
	rest: {color: '34', mono: ''},
	busy: {color: '33', mono: ''},
	problem: {color: '1;35', mono: '1'},
	selected: {color: '7', mono: '7'},
	input: {color: '4', mono: '4'},
	link: {color: '36', mono: '4'},
};

/** How each state is marked: a sign and a word always, a colour where there is one. */
export const stateLooks: Readonly<Record<InstanceState, {readonly sign: string; readonly style?: StyleName}>> = {
	Running: {sign: '●', style: 'good'},
	Stopped: {sign: '○'},
	Deleted: {sign: '×', style: 'dim'},
	Starting: {sign: '◌', style: 'busy'},
	Restarting: {sign: '◌', style: 'busy'},
	'Delayed Shutdown': {sign: '◌', style: 'busy'},
	Suspending: {sign: '◌', style: 'busy'},
	Suspended: {sign: '◑', style: 'rest'},
	Unknown: {sign: '▲', style: 'problem'},
	Broken: {sign: '▲', style: 'problem'},
};

/** Screens are drawn with the left signs; a terminal without UTF-8 is sent the right ones. All are one column wide. */
const asciiSigns: Readonly<Record<string, string>> = {
	'●': '*',
	'○': '-',
	'×': 'x',
	'◌': '~',
	'◑': 'z',
	'▲': '!',
	'…': '~',
	'─': '-',
	'│': '|',
	'┌': '+',
	'┐': '+',
	'└': '+',
	'┘': '+',
	'├': '+',
	'┤': '+',
	'█': '#',
	'░': '.',
	'▁': '_',
	'▂': '.',
	'▃': '.',
	'▄': ':',
	'▅': ':',
	'▆': '|',
	'▇': '|',
	'↑': '^',
	'↓': 'v',
};

export type Theme = {readonly color: boolean; readonly ascii: boolean};

function toAscii(text: string): string {
	let result = '';
	for (const character of text) {
		result +=
			character <= '~'
				? character
				: (asciiSigns[character] ?? '?'.repeat(Math.min(2, Math.max(0, widthOf(character)))));
	}
	return result;
}

/** A line as the bytes a terminal understands, exactly `width` columns wide. */
export function paint(content: Line, width: number, theme: Theme): string {
	let result = '';
	for (const {text, style} of fitLine(content, width)) {
		const shown = theme.ascii ? toAscii(text) : text;
		const look = style === undefined ? '' : theme.color ? looks[style].color : looks[style].mono;
		result += look === '' ? shown : `\u001B[${look}m${shown}\u001B[0m`;
	}
	return result;
}
