import {readFile, rm, rmdir} from 'node:fs/promises';
import path from 'node:path';
import {type ScopeName, scopeNames} from '../../model/driver-name.ts';
import {nameProblem} from '../../model/names.ts';
import {layerIn, layersDirectory, type Paths} from '../../state/paths.ts';
import {basesIn, type DiskPlace, directoriesIn, diskPlaces, scopePlaces} from './disk-places.ts';

/** The layers that the disks in one place lie over, by their ids. */
type Use = {readonly name: string; readonly layers: ReadonlySet<string>};

/** What an instance's disk shares with others. */
export type Shared = {
	/** How many layers its disk lies over. */
	readonly layers: number;
	/** The instances of its scope that lie over one of them, too; by name. */
	readonly with: readonly string[];
};

/**
 * The layers that linked clones share: kept as long as a disk lies over them or a clone that is under way is to, and no
 * longer. One piece of work at a time, so that nothing is let go of that is being made use of.
 */
export class Layers {
	readonly #paths: Paths;
	#queue: Promise<unknown> = Promise.resolve();

	constructor(paths: Paths) {
		this.#paths = paths;
	}

	/** Nothing is let go of meanwhile. */
	hold<Result>(run: () => Promise<Result>): Promise<Result> {
		const result = this.#queue.then(run);
		this.#queue = result.catch(() => {});
		return result;
	}

	/**
	 * Lets go of what nobody needs any more; of nothing, when it cannot be told of all what they need.
	 * @returns the ids of those that are gone
	 */
	sweep(): Promise<readonly string[]> {
		return this.hold(async () => {
			const gone: string[] = [];
			for (const scope of scopeNames) gone.push(...(await this.#sweep(scope)));
			return gone;
		});
	}

	/** By the instance's name; those whose disks share nothing are left out. */
	async shared(scope: ScopeName): Promise<ReadonlyMap<string, Shared>> {
		if ((await this.#layersIn(scope)).length === 0) return new Map();
		const {uses} = await usesIn(await scopePlaces(this.#paths, scope, []));
		// What is being purged is nobody any more.
		const own = uses.filter(use => use.layers.size > 0 && nameProblem(use.name) === undefined);
		return new Map(
			own.map(({name, layers}) => {
				const others = own.filter(other => other.name !== name && [...other.layers].some(id => layers.has(id)));
				return [name, {layers: layers.size, with: others.map(other => other.name).sort()}];
			}),
		);
	}

	async #sweep(scope: ScopeName): Promise<string[]> {
		// Before the disks are looked at: what is made meanwhile is not among them.
		const layers = await this.#layersIn(scope);
		if (layers.length === 0) return [];
		const unclear: string[] = [];
		const {uses, unclear: more} = await usesIn(await diskPlaces(this.#paths, unclear));
		unclear.push(...more);
		const gone = unneeded(layers, uses, unclear);
		const place = layersDirectory(this.#paths, scope);
		for (const id of gone) await rm(path.join(place, id), {recursive: true, force: true});
		// Only when it is empty.
		await rmdir(place).catch(() => {});
		return [...gone];
	}

	async #layersIn(scope: ScopeName): Promise<string[]> {
		const place = layersDirectory(this.#paths, scope);
		const names = await directoriesIn(place, []);
		return names.filter(name => layerIn(path.join(place, name, 'disk.qcow2')) !== undefined);
	}
}

/** What the disks in these places lie over, and the names of those of which it cannot be told. */
async function usesIn(places: readonly DiskPlace[]): Promise<{uses: Use[]; unclear: string[]}> {
	const unclear: string[] = [];
	const uses: Use[] = [];
	for (const {directory, name} of places) {
		const layers = await layersOf(directory).catch(() => undefined);
		if (layers === undefined) unclear.push(name);
		else uses.push({name, layers});
	}
	return {uses, unclear};
}

/** Those of the layers that may go: none when it is unclear of anybody what it needs. */
export function unneeded(
	layers: readonly string[],
	uses: ReadonlyArray<Pick<Use, 'layers'>>,
	unclear: readonly string[],
): readonly string[] {
	return unclear.length > 0 ? [] : layers.filter(id => !uses.some(use => use.layers.has(id)));
}

/** @throws what reading the disks throws: then it cannot be told */
async function layersOf(directory: string): Promise<ReadonlySet<string>> {
	const layers = new Set<string>();
	// The records first: when a clone's wish has gone from there, its disk is there.
	for (const name of ['instance.json', 'instance.json.last']) {
		const text = await readFile(path.join(directory, name), 'utf8').catch(() => '');
		for (const [, id] of text.matchAll(/"layer":\s*"([\da-f-]{36})"/g)) layers.add(id!);
	}
	for (const file of await basesIn(directory)) {
		const id = layerIn(file);
		if (id !== undefined) layers.add(id);
	}
	return layers;
}
