import {instanceKeys} from './instance-keys.ts';
import type {KeyAction, Where} from './key-action.ts';
import {pageKeys} from './page-keys.ts';
import {moveKeys, screenKeys} from './screen-keys.ts';

export type {Group, KeyAction, Need, Where} from './key-action.ts';

/**
 * Every key of the dashboard in one place. The footer, the help, the palette, the key handler and `drover help keys`
 * are all derived from this list, so none of them can say something else. Pure data: no React, no Ink.
 */
export const keyActions: readonly KeyAction[] = [...moveKeys, ...instanceKeys, ...screenKeys, ...pageKeys];

/** Screens with rows, on which the keys of `list` work. */
export const lists: readonly Where[] = [
	'table',
	'menu',
	'detail',
	'mounts',
	'networks',
	'snapshots',
	'import',
	'operations',
	'alerts',
	'drivers',
	'switch-plan',
	'switch-run',
	'doctor',
	'copy',
	'order',
];

/** Screens on which printable keys are text. */
export const textual: readonly Where[] = ['form', 'filter', 'finder'];

/** Bytes that end the key sequences of terminals: a sequence torn apart must never change anything. */
export const reservedKeys = [...'[]O~;0123456789ABCDFHPQRSZ'];

/** Actions that only move or only look: the ones a reserved key may stand for. */
export function isHarmless(action: KeyAction): boolean {
	return action.id.startsWith('detail.') || action.id.startsWith('screen.') || action.id.startsWith('list.');
}

/** The actions understood on one screen, its own before the general ones. */
export function actionsOn(where: Where): readonly KeyAction[] {
	const own = keyActions.filter(action => action.where.includes(where));
	const listed = lists.includes(where) ? keyActions.filter(action => action.where.includes('list')) : [];
	const general = where === 'confirm' ? [] : keyActions.filter(action => action.where.includes('everywhere'));
	return [...new Set([...own, ...listed, ...general])];
}

/** What a key means on a screen. */
export function actionFor(where: Where, key: string): KeyAction | undefined {
	const isTextual = textual.includes(where);
	// Where text is typed, a printable key is never an action.
	if (isTextual && (key.length === 1 || key === 'space')) return undefined;
	return actionsOn(where).find(action => action.keys.includes(key));
}

/** The whole list as plain data, for `drover help keys`. */
export function keyTable(): ReadonlyArray<{
	readonly id: string;
	readonly keys: readonly string[];
	readonly title: string;
	readonly where: readonly Where[];
}> {
	return keyActions.map(({id, keys, title, where}) => ({id, keys, title, where}));
}
