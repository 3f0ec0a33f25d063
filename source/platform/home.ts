import type {Platform} from '../model/driver-name.ts';
import {pathsOf} from './places.ts';
import type {System} from './system.ts';

/** Whose home `~` is, and how paths are written there. */
export type User = Pick<System, 'home' | 'platform'>;

/** `~` and what is below it, as a shell would have it: the home of the user, written out. Other texts stay. */
export function atHome(text: string, {home, platform}: User): string {
	const isBelow = platform === 'win32' ? /^~[\\/]/.test(text) : text.startsWith('~/');
	return text === '~' || isBelow ? pathsOf(platform).join(home, text.slice(1)) : text;
}

/** `SRC[:DST]` taken apart at its first colon; the one of `C:\\` on Windows is none. */
export function splitMount(text: string, platform: Platform): {readonly source: string; readonly target?: string} {
	const isDrive = platform === 'win32' && /^[A-Za-z]:[\\/]/.test(text);
	const at = text.indexOf(':', isDrive ? 2 : 0);
	return at === -1 ? {source: text} : {source: text.slice(0, at), target: text.slice(at + 1)};
}
