import {homedir} from 'node:os';
import path from 'node:path';
import type {Mount} from '../model/mount.ts';

/** A mount whose `~` is written out: the home of the person who typed it, as a shell would have it. */
export function atHome(mount: Mount): Mount {
	const {source} = mount;
	return source === '~' || source.startsWith('~/') ? {...mount, source: path.join(homedir(), source.slice(1))} : mount;
}
