import type {ImageReference} from '../model/instance.ts';
import {plainLine} from '../model/text.ts';

/** `Ubuntu 24.04 LTS`, `Micro 1`: a release that is a bare number says nothing without its system. Empty when unknown. */
export function imageTitle({os, release}: Pick<ImageReference, 'os' | 'release'>): string {
	const title = plainLine(release);
	if (!/^\d/.test(title) || os === '') return title;
	return plainLine(`${os.charAt(0).toUpperCase()}${os.slice(1)} ${title}`);
}
