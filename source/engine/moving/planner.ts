import {statfs} from 'node:fs/promises';
import {capabilities} from '../../drivers/capabilities.ts';
import type {Driver} from '../../drivers/driver.ts';
import {featuresOf} from '../../drivers/features.ts';
import {platformProblem} from '../../drivers/platforms.ts';
import {copySize} from '../../images/foreign-disk.ts';
import type {ImageForm} from '../../images/image.ts';
import {type DriverName, driverTitles, type Platform, scopeOf} from '../../model/driver-name.ts';
import {DroverError, type ErrorData, errorData} from '../../model/errors.ts';
import type {MovePlan} from '../../model/move-plan.ts';
import {formatSize} from '../../model/sizes.ts';
import {isUp} from '../../model/state.ts';
import {demandUsable} from '../demands.ts';
import type {Entry} from '../instances.ts';
import type {Scene} from '../scene.ts';
import {lossesOf, type MoveSide} from './losses.ts';

/** Kept free beside the copy, in bytes. */
const reserve = 256 * 2 ** 20;

/** A conversion has the copy, the unpacked disk and the archive at the same time, and the server its own. */
const conversionFactor = 3.5;

export function sideOf(driver: Driver, platform: Platform): MoveSide {
	return {name: driver.name, ...featuresOf(driver), capabilities: capabilities(driver.name, platform)};
}

/**
 * Checked before anything else is looked at: what is no move at all.
 * @throws DroverError `usage.invalid`, `driver.unsupported`
 */
export function demandMove(from: DriverName, to: DriverName, platform: Platform): void {
	if (from === to) throw new DroverError('usage.invalid', `The instance is under ${driverTitles[to]} already.`);
	const unsupported = platformProblem(to, platform);
	if (unsupported !== undefined) throw new DroverError('driver.unsupported', `${unsupported}.`);
	if (scopeOf(from) !== scopeOf(to)) return;
	throw new DroverError(
		'usage.invalid',
		`${driverTitles[from]} and ${driverTitles[to]} share their instances, so there is nothing to move: drover switch ${to} runs them under ${driverTitles[to]}.`,
	);
}

/** What a move would do, and why it cannot be done. Touches nothing. */
export async function planMove(source: Scene, entry: Entry, target: Scene, platform: Platform): Promise<MovePlan> {
	const record = source.instances.record(entry);
	const [from, to] = [source.driver, target.driver];
	const problems: ErrorData[] = [];
	const attempt = async <Value>(run: () => Promise<Value>): Promise<Value | undefined> => {
		try {
			return await run();
		} catch (error) {
			problems.push(errorData(error));
			return undefined;
		}
	};
	await attempt(async () => demandMovable(entry, source));
	await attempt(() => demandUsable(to));
	const form: ImageForm =
		problems.length > 0 || to.imageForm === undefined ? 'disk' : ((await attempt(() => to.imageForm!({}))) ?? 'disk');
	const disk = await diskOf(source, entry);
	if ('problem' in disk) problems.push(disk.problem);
	const bytes = 'problem' in disk ? 0 : disk.bytes * (form === 'rootfs' ? conversionFactor : 1);
	const {bavail, bsize} = await statfs(source.shop.paths.data);
	const freeBytes = bavail * bsize;
	if (bytes + reserve > freeBytes) {
		problems.push({
			code: 'host.disk-full',
			message: `The copy needs up to ${formatSize(bytes)} of disk, and ${formatSize(Math.max(0, freeBytes - reserve))} can be used.`,
			next: 'Free some disk space and move it again.',
		});
	}
	if (target.instances.has(entry.name)) {
		problems.push({
			code: 'instance.exists',
			message: `There is an instance "${entry.name}" in ${driverTitles[to.name]} already.`,
			next: `Delete and purge it there first (drover switch ${to.name}).`,
		});
	}
	const becomes = form === 'rootfs' ? 'container' : 'virtual-machine';
	const snapshots = entry.snapshots?.kind === 'tree' ? entry.snapshots.tree.snapshots.length : 0;
	return {
		name: entry.name,
		from: from.name,
		to: to.name,
		becomes,
		isRunning: isUp(entry.view.state),
		losses: lossesOf({
			record,
			from: sideOf(from, platform),
			to: sideOf(to, platform),
			becomes,
			snapshots,
			networks: await networksOf(to),
		}),
		problems,
		needsBytes: Math.ceil(bytes),
		freeBytes,
	};
}

/** Networks that a driver offers for further interfaces, by name. */
export async function networksOf(driver: Driver): Promise<readonly string[]> {
	const all = driver.networks === undefined ? [] : await driver.networks().catch(() => []);
	return all.map(({name}) => name);
}

/** @throws DroverError unless it is stopped or could be */
function demandMovable({name, view}: Entry, {driver}: Scene): void {
	if (view.state === 'Stopped' || isUp(view.state)) return;
	const suspended = view.state === 'Suspended';
	throw new DroverError(
		view.state === 'Deleted' ? 'instance.deleted' : view.state === 'Broken' ? 'instance.broken' : 'instance.state',
		suspended
			? `instance "${name}" cannot be moved: it is suspended, and its memory is of use to ${driverTitles[driver.name]} only`
			: `instance "${name}" cannot be moved while it is ${view.state}`,
		{
			next: suspended
				? 'Start it and stop it first.'
				: view.state === 'Deleted'
					? 'Recover it first.'
					: view.state === 'Broken'
						? `drover info ${name} shows the reason.`
						: 'Stop it first.',
		},
	);
}

async function diskOf(source: Scene, entry: Entry): Promise<{readonly bytes: number} | {readonly problem: ErrorData}> {
	const {driver, instances} = source;
	const record = instances.record(entry);
	const found = await driver.diskFile?.(record, instances.place(entry));
	if (typeof found === 'object') {
		// While it runs its disk is locked; then what is known is how large it may be at most.
		const size = isUp(entry.view.state)
			? undefined
			: await copySize(found.file, found.format, AbortSignal.timeout(60_000));
		return {bytes: size ?? record.hardware.disk};
	}
	return {
		problem: {
			code: 'driver.incapable',
			message:
				found === undefined
					? `Moving from ${driverTitles[driver.name]} is not in this version of drover.`
					: `"${entry.name}" cannot be moved: ${found}.`,
		},
	};
}
