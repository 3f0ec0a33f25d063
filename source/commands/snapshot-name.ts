import type {Engine} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {usageError} from './parse.ts';

/** A snapshot as it is written: `web.before-upgrade`. */
export type SnapshotName = {readonly name: string; readonly snapshot: string};

/** No instance has a dot in its name: what has one means a snapshot. */
export function meansSnapshot(text: string): boolean {
	return text.includes('.');
}

/** @throws DroverError `usage.invalid` unless it is one name, a dot and another */
export function instanceAndSnapshot(text: string): SnapshotName {
	const [name = '', snapshot = '', ...more] = text.split('.');
	if (name !== '' && snapshot !== '' && more.length === 0) return {name, snapshot};
	throw usageError(
		`${JSON.stringify(plainLine(text).slice(0, 100))} does not name a snapshot.`,
		'Write it as <instance>.<snapshot>.',
	);
}

/** Snapshots by their instances, each once. */
export function byInstance(snapshots: readonly SnapshotName[]): ReadonlyMap<string, readonly string[]> {
	const found = new Map<string, string[]>();
	for (const {name, snapshot} of snapshots) {
		const all = found.get(name) ?? [];
		if (!all.includes(snapshot)) all.push(snapshot);
		found.set(name, all);
	}
	return found;
}

/**
 * Looks whether all of them are there, before anything is done to the first.
 * @throws DroverError `instance.missing`, `snapshot.missing`, `driver.incapable`
 */
export async function demandSnapshots(chosen: ReadonlyMap<string, readonly string[]>, engine: Engine): Promise<void> {
	const found = await engine.snapshots({names: [...chosen.keys()]});
	for (const [name, wanted] of chosen) {
		const tree = found.find(each => each.name === name);
		if (tree?.problem !== undefined) {
			throw new DroverError('snapshot.broken', `the snapshots of instance "${name}" cannot be used: ${tree.problem}`);
		}
		const missing = wanted.find(each => !tree?.snapshots.some(snapshot => snapshot.name === each));
		if (missing === undefined) continue;
		throw new DroverError(
			'snapshot.missing',
			`instance "${name}" has no snapshot ${JSON.stringify(plainLine(missing).slice(0, 80))}`,
			{next: `drover info --snapshots ${name} shows those it has.`},
		);
	}
}
