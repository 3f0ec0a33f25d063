import type {Driver, Resources} from '../../drivers/driver.ts';
import {DroverError, type ErrorCode} from '../../model/errors.ts';
import type {ActionOptions, Intent} from '../../model/instance.ts';
import {formatSize, limits} from '../../model/sizes.ts';
import {isUp} from '../../model/state.ts';
import type {Entry, Instances} from '../instances.ts';
import type {Step} from '../lifecycle.ts';
import {abandoned} from '../operations.ts';

const resourceNames = ['cpus', 'memory', 'disk'] as const satisfies ReadonlyArray<keyof Resources>;
const mostCpus = 1024;

/** What is to become of an instance's hardware. */
export type HardwareChange = Pick<ActionOptions, 'cpus' | 'memory' | 'disk' | 'nic'>;

/** In Multipass's words. */
export function cannotUpdate(name: string, reason: string, code: ErrorCode, next?: string): DroverError {
	return new DroverError(code, `Cannot update instance settings; instance: ${name}; reason: ${reason}`, {next});
}

/** Those of the wanted resources that differ from what is there. @throws DroverError `instance.invalid` */
export function wantedResources(instances: Instances, entry: Entry, wanted: Resources): Resources {
	const {hardware} = instances.record(entry);
	const problem = resourceProblem(wanted, hardware);
	if (problem !== undefined) throw cannotUpdate(entry.name, problem, 'instance.invalid');
	return Object.fromEntries(
		resourceNames.flatMap(key => {
			const value = wanted[key];
			return value === undefined || value === hardware[key] ? [] : [[key, value]];
		}),
	);
}

/** Rules: Multipass. Memory may shrink, a disk may not. */
function resourceProblem({cpus, memory, disk}: Resources, present: {readonly disk: number}): string | undefined {
	if (cpus !== undefined && !(Number.isSafeInteger(cpus) && cpus >= 1 && cpus <= mostCpus)) {
		return `the number of processors must be a whole number from 1 to ${mostCpus}`;
	}
	if (memory !== undefined && !(Number.isSafeInteger(memory) && memory >= limits.memoryMinimum)) {
		return `the memory must be at least ${formatSize(limits.memoryMinimum)}`;
	}
	if (disk !== undefined && !(Number.isSafeInteger(disk) && disk >= present.disk)) {
		return `a disk can only grow, and it has ${formatSize(present.disk)} now`;
	}
	return undefined;
}

/** Looks whether its state lets an instance be changed so. @throws DroverError `instance.*` */
export function demandChangeable(instances: Instances, entry: Entry, change: HardwareChange): void {
	const record = instances.record(entry);
	const {name} = entry;
	const {state} = entry.view;
	if (record.deleted) {
		throw cannotUpdate(name, 'the instance is deleted', 'instance.deleted', `drover recover ${name} brings it back.`);
	}
	if (record.phase === 'creating') {
		throw cannotUpdate(name, 'the instance is being prepared', 'instance.busy', 'Wait until it has been launched.');
	}
	if (state === 'Stopped' || (isUp(state) && isLive(instances.driver, change))) return;
	throw cannotUpdate(
		name,
		`the instance must be stopped, and it is ${state}`,
		'instance.state',
		state === 'Suspended' ? `Start it first, then: drover stop ${name}.` : `drover stop ${name} stops it.`,
	);
}

function isLive({resizesLive}: Driver, change: HardwareChange): boolean {
	const hasInterface = change.nic === undefined || resizesLive?.has('networks') === true;
	return hasInterface && resourceNames.every(key => change[key] === undefined || resizesLive?.has(key));
}

/**
 * Changes an instance's hardware. What is wanted stands in the record until both hypervisor and record have it: a daemon
 * that dies in between leaves it to the next, which does it once more from the start.
 */
export const resize: Step = async (shop, entry, options, by, work) => {
	const {instances} = shop;
	const {driver} = instances;
	const {nic} = options;
	const resources: Resources = Object.fromEntries(
		resourceNames.flatMap(key => (options[key] === undefined ? [] : [[key, options[key]]])),
	);
	const place = instances.place(entry);
	const intent: Intent = {
		action: 'resize',
		options: {...resources, ...(nic === undefined ? {} : {nic})},
		by,
		at: shop.now().toISOString(),
	};
	try {
		await instances.observe(entry);
		// It may have been started since it was asked for.
		demandChangeable(instances, entry, options);
		const record = await work.update({intent});
		if (nic !== undefined) {
			work.progress(`adding an interface on ${nic.network}`);
			await driver.addNic!(record, place, nic, work);
		}
		if (Object.keys(resources).length > 0) {
			work.progress(`changing ${Object.keys(resources).join(', ')}`);
			await driver.resize!({...record, hardware: {...record.hardware, ...resources}}, place, resources, work);
		}
		const {hardware} = instances.record(entry);
		const nics = [...(hardware.nics ?? []), ...(nic === undefined ? [] : [nic])];
		await work.update({
			hardware: {...hardware, ...resources, ...(nics.length === 0 ? {} : {nics})},
			intent: undefined,
		});
	} catch (error) {
		if (work.signal.reason !== abandoned) await work.update({intent: undefined});
		throw error;
	}
	await instances.tell(entry, toldOf(resources, nic?.network), by);
};

function toldOf({cpus, memory, disk}: Resources, network: string | undefined): string {
	const parts = [
		cpus === undefined ? [] : [`${cpus} processor${cpus === 1 ? '' : 's'}`],
		memory === undefined ? [] : [`${formatSize(memory)} of memory`],
		disk === undefined ? [] : [`a disk of ${formatSize(disk)}`],
		network === undefined ? [] : [`an interface on ${network}`],
	].flat();
	return `given ${parts.join(', ')}`;
}
