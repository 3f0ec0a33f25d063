import {copyFile, stat} from 'node:fs/promises';
import path from 'node:path';
import {scopeOf} from '../../model/driver-name.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {MacAddresses} from '../hardware/networking.ts';
import type {Entry} from '../instances.ts';
import {cloudInitName, hostKeyName, readSeed} from '../launching/launch.ts';
import type {Scene} from '../scene.ts';
import {movedParts} from './losses.ts';
import {networksOf, sideOf} from './planner.ts';

/** Takes the name in the other scope and writes down what is wanted. Nothing is left there when it throws. */
export async function prepareCopy(source: Scene, entry: Entry, target: Scene, id: string, by: string): Promise<Entry> {
	const original = source.instances.record(entry);
	const from = source.instances.place(entry).directory;
	const {instances, shop, driver} = target;
	const networks = await networksOf(driver);
	const {nics, ...parts} = movedParts(original, sideOf(driver, target.host.platform), networks);
	// A guest that has been set up once would not learn of another place on a private network.
	const {nics: _, machine: __, privateNic: ___, builtMemory: ____, mac, ...hardware} = original.hardware;
	const macs = new MacAddresses(instances, shop.random);
	const record: InstanceRecord = {
		schema: 1,
		id,
		name: original.name,
		scope: scopeOf(driver.name),
		createdAt: original.createdAt,
		createdBy: original.createdBy,
		phase: 'creating',
		// Its disk is its own: no image is needed for it any more.
		image: {...original.image, hash: ''},
		hardware: {
			...hardware,
			mac: macs.prefer(mac),
			...(nics === undefined ? {} : {nics: nics.map(nic => ({...nic, mac: macs.prefer(nic.mac)}))}),
		},
		ssh: {user: original.ssh.user, hostKey: original.ssh.hostKey},
		desired: 'stopped',
		seedId: original.seedId ?? original.id,
		...parts,
		intent: {
			action: 'move',
			options: {move: {driver: source.driver.name, id: original.id}},
			by,
			at: shop.now().toISOString(),
		},
	};
	const copy = await instances.create(record);
	try {
		for (const name of [cloudInitName, hostKeyName]) {
			const isThere = await stat(path.join(from, name)).catch(() => undefined);
			if (isThere) await copyFile(path.join(from, name), path.join(instances.place(copy).directory, name));
		}
	} catch (error) {
		await instances.remove(copy);
		throw error;
	}
	return copy;
}

/**
 * A machine goes on as the one it was: cloud-init has done its work and does none of it again. A container is another
 * thing to it, with other interfaces; what its user had asked for at the launch has been done all the same.
 */
export function seedOf(
	{shop}: Scene,
	original: InstanceRecord,
	record: InstanceRecord,
	directory: string,
	isContainer: boolean,
) {
	if (isContainer) return readSeed(shop, record, directory, {isContainer, withCloudInit: false});
	return readSeed(shop, {...record, id: original.seedId ?? original.id}, directory, {isContainer});
}
