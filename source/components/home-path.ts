import type {Mount} from '../model/mount.ts';
import {atHome as writtenOut} from '../platform/home.ts';
import {thisSystem} from '../platform/system.ts';

/** A mount whose `~` is written out: the home of the person who typed it, as a shell would have it. */
export function atHome(mount: Mount): Mount {
	return {...mount, source: writtenOut(mount.source, thisSystem())};
}
