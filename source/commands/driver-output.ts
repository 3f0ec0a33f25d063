import {type CapabilityAnswer, capabilityNames, capabilityTitles} from '../drivers/capabilities.ts';
import {type Verification, verificationSentence, verificationTitles} from '../drivers/verification.ts';
import type {DriverInfo} from '../engine/engine.ts';
import {driverTitles} from '../model/driver-name.ts';
import {plainLine} from '../model/text.ts';
import {compactTable, labelled} from './formats.ts';

/** Why a driver is usable or not, the first no first: platform, then what was found here. */
function reasonOf(driver: DriverInfo): string {
	return plainLine(driver.supported ? driver.health.summary : (driver.unsupportedReason ?? driver.health.summary));
}

/** A driver as JSON and YAML show it. */
export function driverEntry(driver: DriverInfo) {
	const {health} = driver;
	return {
		name: driver.name,
		title: driverTitles[driver.name],
		supported: driver.supported,
		current: driver.current,
		installed: health.installed,
		usable: driver.supported && health.usable,
		...(health.version === undefined ? {} : {version: plainLine(health.version)}),
		...(health.accelerator === undefined ? {} : {accelerator: plainLine(health.accelerator)}),
		reason: reasonOf(driver),
		...(driver.verification === undefined ? {} : {verification: verificationEntry(driver.verification)}),
		...(health.remedy === undefined || !driver.supported ? {} : {remedy: plainLine(health.remedy)}),
		capabilities: Object.fromEntries(capabilityNames.map(name => [name, answer(driver.capabilities[name])])),
		scope: driver.scope,
		instances: driver.instances,
	};
}

function verificationEntry({level, note}: Verification) {
	return {level, note: plainLine(note)};
}

function answer(capability: CapabilityAnswer) {
	switch (capability.can) {
		case 'yes':
			return {can: 'yes'};
		case 'no':
			return {can: 'no', reason: plainLine(capability.reason), drivers: capability.drivers};
		case 'unknown':
			return {can: 'unknown', reason: plainLine(capability.probe)};
	}
}

/** What there is at a glance, then the sentences: all within 80 columns. */
export function driversTable(drivers: readonly DriverInfo[]): string {
	const yes = (answer: boolean) => (answer ? 'yes' : 'no');
	const head = ['Driver', 'Here', 'Current', 'Installed', 'Usable', 'Instances', 'Verified'];
	const rows = drivers.map(driver => [
		driver.name,
		yes(driver.supported),
		yes(driver.current),
		yes(driver.health.installed),
		yes(driver.supported && driver.health.usable),
		String(driver.instances),
		driver.verification === undefined ? '--' : verificationTitles[driver.verification.level],
	]);
	const can = drivers.map(driver => [driver.name, ...capabilityNames.map(name => driver.capabilities[name].can)]);
	return [
		compactTable([head, ...rows]),
		compactTable([['Can', ...capabilityNames.map(name => capabilityTitles[name])], ...can]),
		drivers.map(sentences).join(''),
	].join('\n');
}

function sentences(driver: DriverInfo): string {
	const indent = 12;
	const lines = [labelled(driver.name, reasonOf(driver), indent)];
	const {remedy} = driver.health;
	if (driver.supported && remedy !== undefined) lines.push(labelled('', remedy, indent));
	for (const name of driver.supported ? capabilityNames : []) {
		const answer = driver.capabilities[name];
		if (answer.can === 'no') lines.push(labelled('', `no ${capabilityTitles[name]}: ${answer.reason}`, indent));
		if (answer.can === 'unknown') lines.push(labelled('', `${capabilityTitles[name]}: ${answer.probe}`, indent));
	}
	if (driver.verification !== undefined) {
		lines.push(labelled('', plainLine(verificationSentence(driver.verification)), indent));
	}
	return `${lines.join('\n')}\n`;
}
