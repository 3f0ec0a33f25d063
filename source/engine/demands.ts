import {type CapabilityName, capability, capabilityTitles} from '../drivers/capabilities.ts';
import type {Driver} from '../drivers/driver.ts';
import {featuresOf} from '../drivers/features.ts';
import {driverTitles, type Platform} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import {type DriverPart, featureProblem, linkProblem} from './availability.ts';

/** @throws DroverError `driver.not-installed`, `driver.unusable`, with the remedy */
export async function demandUsable(driver: Driver): Promise<void> {
	const health = await driver.health();
	if (health.usable) return;
	throw new DroverError(
		health.installed ? 'driver.unusable' : 'driver.not-installed',
		`${driverTitles[driver.name]} cannot be used: ${health.summary}`,
		{next: health.remedy},
	);
}

/** The driver's table has the first word. @throws DroverError `driver.incapable`, with who can */
export function demandCapability(driver: Driver, platform: Platform, name: CapabilityName): void {
	const answer = capability(driver.name, platform, name);
	if (answer.can !== 'no') return;
	const verb = name === 'suspend' ? 'is' : 'are';
	throw new DroverError('driver.incapable', `${capitalized(capabilityTitles[name])} ${verb} ${answer.reason}.`);
}

/** @throws DroverError `driver.incapable` for what this version of drover does not do under a driver */
export function demandFeature(driver: Driver, part: DriverPart): void {
	const problem = featureProblem(part, {name: driver.name, ...featuresOf(driver)});
	if (problem !== undefined) throw new DroverError('driver.incapable', `${capitalized(problem)}.`);
}

/** @throws DroverError `driver.incapable` where there are no linked clones */
export function demandLinking(driver: Driver): void {
	const problem = linkProblem({name: driver.name, ...featuresOf(driver)});
	if (problem === undefined) return;
	throw new DroverError('driver.incapable', `${capitalized(problem)}.`, {next: 'Clone it without --linked.'});
}

function capitalized(text: string): string {
	return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
