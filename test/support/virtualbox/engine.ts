import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {createVirtualBoxDriver} from '../../../source/drivers/virtualbox/driver.ts';
import {createEngine} from '../../../source/engine/create-engine.ts';
import type {LocalEngine} from '../../../source/engine/local-engine.ts';
import type {ImageStore} from '../../../source/images/image.ts';
import {mebibyte} from '../../../source/model/sizes.ts';
import {makePrivate, type Paths} from '../../../source/state/paths.ts';
import {initialized, simulatedImages} from '../engine.ts';
import type {SimulatedHypervisor} from '../simulated-driver.ts';
import type {StandIn} from './stand-in.ts';

/** One image that VirtualBox can read: a raw disk with a boot sector. */
export function rawImages(paths: Paths): ImageStore {
	return {
		...simulatedImages(paths),
		async fetch() {
			makePrivate(paths.cache);
			const file = path.join(paths.cache, 'image');
			const bytes = Buffer.alloc(mebibyte);
			bytes.writeUInt16BE(0x55_aa, 510);
			await writeFile(file, bytes);
			return {path: file, format: 'raw', hash: `sha256:${'0'.repeat(64)}`, virtualSize: mebibyte};
		},
	};
}

/** The real engine on a Mac: VirtualBox by way of the stand-in, beside a simulated QEMU. */
export function macEngine(paths: Paths, virtualBox: StandIn, qemu: SimulatedHypervisor): Promise<LocalEngine> {
	return createEngine(paths, {
		loadDriver: async name => {
			if (name === 'qemu') return qemu.driver(name);
			if (name !== 'virtualbox') return undefined;
			return createVirtualBoxDriver({
				paths,
				program: virtualBox.program,
				host: {platform: 'darwin', architecture: 'x64', environment: process.env},
			});
		},
		images: rawImages(paths),
		host: {platform: 'darwin', architecture: 'x64'},
		version: 'test',
		lookEveryMs: 60_000,
		bootId: 'boot-1',
		workshop: {
			waitForAnswer: async () => 'SSH-2.0-simulated',
			tryAnswer: async () => 'SSH-2.0-simulated',
			followInit: initialized,
		},
	});
}
