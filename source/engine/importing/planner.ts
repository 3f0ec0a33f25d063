import {statfs} from 'node:fs/promises';
import {capabilities} from '../../drivers/capabilities.ts';
import {featuresOf} from '../../drivers/features.ts';
import {scopeNames, scopeOf} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {ImportPlan} from '../../model/import-plan.ts';
import {listOf, plainLine} from '../../model/text.ts';
import {accountName} from '../../platform/user-name.ts';
import {nativeMountProblem} from '../availability.ts';
import type {ImportRequest} from '../engine.ts';
import type {SceneParts} from '../scene-parts.ts';
import {lookForBoot} from './hyperkit-boot.ts';
import {type Brought, type Judgement, judge, refOf} from './judge.ts';
import type {TheirScope} from './places.ts';
import {findData, readData, type TheirInstance} from './read.ts';

export type Planned = {readonly plan: ImportPlan; readonly judgements: readonly Judgement[]};

/**
 * Looks at the data of a Multipass and says what would be made of it. Touches nothing.
 * @param scopes only these parts of it
 * @throws DroverError `instance.missing` for a name that is not there, `usage.invalid`, `driver.*`
 */
export async function planImport(
	parts: SceneParts,
	{from, names = [], as, discardMemory = false}: Omit<ImportRequest, 'by'>,
	scopes?: readonly TheirScope[],
): Promise<Planned> {
	const {driver, instances, shop, host} = parts;
	if (as !== undefined && names.length !== 1) {
		throw new DroverError('usage.invalid', 'Another name can be given to exactly one instance, which must be named.');
	}
	const places = from === undefined ? shop.multipassPlaces : [from];
	const search = await findData(places, from !== undefined);
	const problems = search.closed.map(closedSentence);
	const freeBytes = await free(shop.paths.data);
	const signal = AbortSignal.timeout(10 * 60_000);
	const data = search.directory === undefined ? undefined : await readData(search.directory, signal, scopes);
	const all = selected(data?.instances ?? [], names, search.directory);
	const form = all.length === 0 ? 'disk' : ((await driver.imageForm?.({})) ?? 'disk');
	const networks = driver.networks === undefined ? [] : await driver.networks().catch(() => []);
	const native = {name: driver.name, ...featuresOf(driver), capabilities: capabilities(driver.name, host.platform)};
	const bootable = await Promise.all(all.map(each => lookForBoot(each, host.platform)));
	const judgements = judge(bootable, {
		brought: await broughtOf(parts),
		isTaken: name => instances.has(name),
		scope: scopeOf(driver.name),
		named: new Set(names.length === 0 ? [] : all.map(refOf)),
		...(as === undefined ? {} : {as}),
		discardMemory,
		hasNetwork: name => networks.some(network => network.name === name),
		hasNative: nativeMountProblem(native) === undefined,
		isInstalled: from === undefined,
		form,
		freeBytes,
	});
	const lines = judgements.map(({line}) => line);
	return {
		plan: {
			driver: driver.name,
			...(search.directory === undefined ? {} : {directory: search.directory}),
			lookedAt: places,
			instances: lines,
			problems: [...problems, ...(data?.problems ?? [])],
			needsBytes: lines.reduce((sum, line) => sum + (line.verdict === 'import' ? line.bytes : 0), 0),
			freeBytes,
		},
		judgements,
	};
}

function closedSentence(place: string): string {
	return `${place} may not be read by ${accountName()}: run drover as root, or copy it to where ${accountName()} may read it and name that with --from.`;
}

/** @throws DroverError `instance.missing` */
function selected(
	all: readonly TheirInstance[],
	names: readonly string[],
	directory: string | undefined,
): readonly TheirInstance[] {
	if (names.length === 0) return all;
	const missing = names.filter(name => !all.some(each => isCalled(each, name)));
	if (missing.length > 0) {
		const shown = missing.map(name => JSON.stringify(plainLine(name).slice(0, 80)));
		throw new DroverError(
			'instance.missing',
			directory === undefined
				? `No data of Multipass was found, so there is no ${listOf(shown, 'or')} to import`
				: `Multipass has no instance ${listOf(shown, 'or')} in ${directory}`,
			{next: '"drover import multipass --dry-run" shows what there is.'},
		);
	}
	return all.filter(each => names.some(name => isCalled(each, name)));
}

function isCalled(each: TheirInstance, name: string): boolean {
	return each.name === name || refOf(each) === name;
}

/** What is in trash of any scope is here, too. */
async function broughtOf({instances}: SceneParts): Promise<readonly Brought[]> {
	const records = await Promise.all(scopeNames.map(scope => instances.records.peek(scope)));
	return records
		.flat()
		.flatMap(({origin, name, scope, deleted, phase}) =>
			origin === undefined
				? []
				: [{origin, name, scope, isDeleted: deleted !== undefined, isUnderWay: phase === 'creating'}],
		);
}

async function free(directory: string): Promise<number> {
	const {bavail, bsize} = await statfs(directory);
	return bavail * bsize;
}
