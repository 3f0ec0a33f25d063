import {plainLine} from '../../model/text.ts';
import type {KeyPress} from '../keys/key-name.ts';

/** A one-line text being typed. `at` counts characters from the left. */
export type Field = {readonly text: string; readonly at: number};

export const emptyField: Field = {text: '', at: 0};
export const fieldOf = (text: string): Field => ({text, at: [...text].length});

const longest = 1024;

/** Text put in where the cursor is; control characters and line breaks are taken out. */
export function insert(field: Field, text: string): Field {
	const characters = [...field.text];
	// Spaces at the ends are kept: they are typed one by one.
	const added = [...(text === ' ' ? text : plainLine(text))].slice(0, Math.max(0, longest - characters.length));
	characters.splice(field.at, 0, ...added);
	return {text: characters.join(''), at: field.at + added.length};
}

/** What an editing key makes of a field, or `undefined` when the key does not edit. */
export function edit(field: Field, key: KeyPress): Field | undefined {
	if (key.text !== '') return insert(field, key.text);
	const characters = [...field.text];
	switch (key.name) {
		case 'backspace':
		// Many terminals send for the backspace key what others send for delete.
		case 'delete': {
			const at = key.name === 'backspace' ? field.at - 1 : field.at;
			if (at < 0 || at >= characters.length) return field;
			characters.splice(at, 1);
			return {text: characters.join(''), at};
		}
		case 'left':
			return {...field, at: Math.max(0, field.at - 1)};
		case 'right':
			return {...field, at: Math.min(characters.length, field.at + 1)};
		case 'home':
			return {...field, at: 0};
		case 'end':
			return {...field, at: characters.length};
		case 'ctrl-u':
			return emptyField;
		default:
			return undefined;
	}
}
