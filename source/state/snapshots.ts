import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {emptyTree, type SnapshotTree} from '../model/snapshot.ts';
import {writeAtomic} from './atomic.ts';
import {parseTree} from './snapshot-schema.ts';

/** The snapshots of an instance as they are kept, or why they cannot be used. */
export type StoredSnapshots =
	| {readonly kind: 'tree'; readonly tree: SnapshotTree}
	| {readonly kind: 'damaged'; readonly reason: string; readonly file: string};

export const noSnapshots: StoredSnapshots = {kind: 'tree', tree: emptyTree};

function treeFile(directory: string): string {
	return path.join(directory, 'snapshots.json');
}

/** Reads the tree beside an instance's record. A file that cannot be used is told of and left as it is. Never throws. */
export async function readSnapshots(directory: string): Promise<StoredSnapshots> {
	const file = treeFile(directory);
	let text: string;
	try {
		text = await readFile(file, 'utf8');
	} catch (error) {
		const {code} = error as NodeJS.ErrnoException;
		if (code === 'ENOENT') return noSnapshots;
		return {kind: 'damaged', reason: `the file cannot be read (${code ?? 'unknown error'})`, file};
	}
	const tree = parseTree(text);
	return typeof tree === 'string' ? {kind: 'damaged', reason: tree, file} : {kind: 'tree', tree};
}

/** When this returns, the tree is on the disk. @throws DroverError `host.*` */
export async function writeSnapshots(directory: string, tree: SnapshotTree): Promise<void> {
	await writeAtomic(treeFile(directory), `${JSON.stringify(tree, undefined, '\t')}\n`);
}
