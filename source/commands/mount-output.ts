import {idMapText, type Mount} from '../model/mount.ts';
import {plainLine} from '../model/text.ts';

/** With Multipass's keys. */
export function mountEntries(mounts: readonly Mount[]) {
	return Object.fromEntries(
		mounts.map(({source, target, uidMap, gidMap}) => [
			plainLine(target),
			{uid_mappings: uidMap.map(idMapText), gid_mappings: gidMap.map(idMapText), source_path: plainLine(source)},
		]),
	);
}

/** `source => target`, and below it whose files are whose. */
export function mountLines(mounts: readonly Mount[]): readonly string[] {
	return mounts.flatMap(({source, target, uidMap, gidMap}) => [
		`${plainLine(source)} => ${plainLine(target)}`,
		`    UID map: ${uidMap.map(idMapText).join(', ')}`,
		`    GID map: ${gidMap.map(idMapText).join(', ')}`,
	]);
}

/** All in one field. */
export function mountField(mounts: readonly Mount[]): string {
	return mounts.map(({source, target}) => `${source} => ${target}`).join(';');
}
