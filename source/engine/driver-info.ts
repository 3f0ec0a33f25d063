import {readdir} from 'node:fs/promises';
import {capabilities} from '../drivers/capabilities.ts';
import {featuresOf} from '../drivers/features.ts';
import {classicMountProblem, driversOn, platformProblem} from '../drivers/platforms.ts';
import {verificationOf} from '../drivers/verification.ts';
import {type DriverName, driverNames, driverTitles, type ScopeName, scopeNames, scopeOf} from '../model/driver-name.ts';
import {nameProblem} from '../model/names.ts';
import {type Paths, scopeDirectory} from '../state/paths.ts';
import type {DriverPool} from './driver-pool.ts';
import type {DriverInfo} from './engine.ts';
import type {Host} from './settings/setting-keys.ts';

/** What clients are told of one driver. */
export async function driverInfo(
	name: DriverName,
	{
		current,
		drivers,
		paths,
		host,
		again = false,
	}: {current: DriverName; drivers: DriverPool; paths: Paths; host: Host; again?: boolean},
): Promise<DriverInfo> {
	const problem = platformProblem(name, host.platform);
	const driver = problem === undefined ? await drivers.get(name) : undefined;
	const summary = problem ?? `${driverTitles[name]} is not in this version of drover`;
	const health = (await driver?.health({again})) ?? {installed: false, usable: false, summary, checkedAt: Date.now()};
	const verification = verificationOf(name, host.platform);
	const classic = classicMountProblem(host.platform);
	return {
		name,
		supported: problem === undefined,
		...(problem === undefined ? {} : {unsupportedReason: problem}),
		current: name === current,
		health,
		capabilities: capabilities(name, host.platform),
		...(verification === undefined ? {} : {verification}),
		...(classic === undefined ? {} : {classicMountProblem: classic}),
		...featuresOf(driver),
		scope: scopeOf(name),
		instances: await countInstances(paths, scopeOf(name)),
	};
}

/** All drivers there are: this platform's first, in the order they are offered. */
export async function allDrivers(options: Parameters<typeof driverInfo>[1]): Promise<DriverInfo[]> {
	const here = driversOn(options.host.platform);
	const order = [...here, ...driverNames.filter(name => !here.includes(name))];
	return Promise.all(order.map(name => driverInfo(name, options)));
}

/** How many instances a scope holds, the deleted and the broken ones included. */
export async function countInstances(paths: Paths, scope: ScopeName): Promise<number> {
	const names = await readdir(scopeDirectory(paths, scope)).catch(() => []);
	return names.filter(name => nameProblem(name) === undefined).length;
}

/** Scopes other than the current one that hold instances. */
export async function elsewhere(paths: Paths, current: ScopeName): Promise<Array<{scope: ScopeName; count: number}>> {
	const counts = await Promise.all(
		scopeNames
			.filter(scope => scope !== current)
			.map(async scope => ({scope, count: await countInstances(paths, scope)})),
	);
	return counts.filter(({count}) => count > 0);
}
