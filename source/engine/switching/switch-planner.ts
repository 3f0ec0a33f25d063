import {statfs} from 'node:fs/promises';
import {capability} from '../../drivers/capabilities.ts';
import {driversOn, platformProblem} from '../../drivers/platforms.ts';
import {type DriverName, driverTitles, scopeOf} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import {planSwitch, type SwitchPlan} from '../../model/switch.ts';
import type {System} from '../../platform/system.ts';
import type {Paths} from '../../state/paths.ts';
import {hostFacts} from '../host.ts';
import type {Scene} from '../scene.ts';
import type {Host} from '../settings/setting-keys.ts';
import {membersOf} from './switch-members.ts';

export type PlannerParts = {
	readonly paths: Paths;
	readonly host: Host;
	readonly system: System;
	/** A scene for a driver, not opened yet. @throws DroverError `driver.unsupported` */
	readonly makeScene: (driver: DriverName) => Promise<Scene>;
	readonly current: () => Scene;
};

/**
 * Looks at both scopes and says what a switch would do. Touches nothing.
 * @throws DroverError `setting.invalid` (current already), `driver.unsupported`
 */
export async function planFor(parts: PlannerParts, to: DriverName): Promise<SwitchPlan> {
	const {current, paths, host} = parts;
	const leaving = current();
	const from = leaving.driver.name;
	if (from === to) {
		throw new DroverError('setting.invalid', `The driver is ${driverTitles[to]} already.`);
	}
	const unsupported = platformProblem(to, host.platform);
	if (unsupported !== undefined) {
		throw new DroverError('driver.unsupported', `${unsupported}.`, {
			next: `Use one of ${driversOn(host.platform).join(', ')}.`,
		});
	}
	const target = await parts.makeScene(to);
	try {
		const isShared = scopeOf(from) === scopeOf(to);
		if (!isShared) await target.open();
		const [health, own, disk, facts] = await Promise.all([
			target.driver.health(),
			leaving.driver.health(),
			statfs(paths.data),
			hostFacts(paths.data, parts.system),
		]);
		await leaving.instances.observeAll();
		return planSwitch({
			from,
			to,
			isShared,
			canSuspend: capability(from, host.platform, 'suspend').can === 'yes',
			fromTitle: driverTitles[from],
			toTitle: driverTitles[to],
			leaving: await membersOf(leaving, isShared ? target : leaving),
			entering: isShared ? [] : await membersOf(target, target),
			freeBytes: disk.bavail * disk.bsize,
			hostMemory: facts.memoryAvailable,
			...(own.usable ? {} : {leavingProblem: own.summary}),
			...(health.usable
				? {}
				: {
						targetProblem: {
							code: health.installed ? ('driver.unusable' as const) : ('driver.not-installed' as const),
							message: `${driverTitles[to]} cannot be used: ${health.summary}`,
							...(health.remedy === undefined ? {} : {next: health.remedy}),
						},
					}),
		});
	} finally {
		await target.close();
	}
}
