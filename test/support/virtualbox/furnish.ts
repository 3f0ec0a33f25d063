import {randomUUID} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {InstancePlace} from '../../../source/drivers/driver.ts';
import {machineName} from '../../../source/drivers/virtualbox/files.ts';
import type {InstanceRecord} from '../../../source/model/instance.ts';
import {gibibyte} from '../../../source/model/sizes.ts';
import {instanceDirectory, type Paths, socketDirectory} from '../../../source/state/paths.ts';
import {emptyNic, type Machine} from './service/model.ts';
import {World} from './service/world.ts';
import type {StandIn} from './stand-in.ts';

export type Furnished = {readonly record: InstanceRecord; readonly place: InstancePlace};

/** Machines that are there already when the stand-in's service starts, one in each of these states; nothing is run for it. */
export async function furnish(standIn: StandIn, paths: Paths, states: readonly string[]): Promise<Furnished[]> {
	const world = new World(standIn.home);
	const made: Furnished[] = [];
	for (const [index, state] of states.entries()) {
		const record: InstanceRecord = {
			schema: 1,
			id: randomUUID(),
			name: `m${index}`,
			scope: 'virtualbox',
			createdAt: new Date().toISOString(),
			createdBy: 'test',
			phase: 'ready',
			image: {query: 'micro', release: 'Micro 1', os: 'drover', hash: ''},
			hardware: {arch: 'x86_64', cpus: 1, memory: gibibyte, disk: gibibyte, mac: '52:54:00:00:00:01'},
			ssh: {user: 'ubuntu', hostKey: '', port: 20_000 + index},
			desired: 'running',
		};
		const place = {
			directory: instanceDirectory(paths, 'virtualbox', record.name),
			sockets: socketDirectory(paths, record.id),
		};
		const name = machineName(record);
		const directory = path.join(place.directory, name);
		await mkdir(path.join(directory, 'Snapshots'), {recursive: true});
		const disk = Buffer.alloc(512);
		disk.writeUInt32LE(0xbe_da_10_7f, 64);
		await writeFile(path.join(place.directory, 'disk.vdi'), disk);
		const isSaved = state === 'saved' || state === 'aborted-saved';
		const machine: Machine = {
			id: record.id,
			name,
			ostype: 'Linux_64',
			directory,
			file: path.join(directory, `${name}.vbox`),
			cpus: 1,
			memory: 1024,
			vram: 16,
			graphics: 'vmsvga',
			firmware: 'bios',
			boot: ['disk', 'none', 'none', 'none'],
			audio: 'none',
			nics: Array.from({length: 8}, emptyNic),
			controllers: ['IDE'],
			attachments: [],
			extra: {},
			description: '',
			state,
			changed: '2026-11-23T07:07:01.634000000',
			...(isSaved ? {stateFile: path.join(directory, 'Snapshots', 'x.sav')} : {}),
		};
		world.machines.set(record.id, machine);
		world.keep(machine);
		made.push({record, place});
	}
	return made;
}
