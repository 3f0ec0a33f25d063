import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {onTestFinished} from 'vitest';
import {createEngine, type EngineOptions} from '../../source/engine/create-engine.ts';
import type {LocalEngine} from '../../source/engine/local-engine.ts';
import type {Workshop} from '../../source/engine/workshop.ts';
import type {ImageStore} from '../../source/images/image.ts';
import {DroverError} from '../../source/model/errors.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import {makePrivate, type Paths} from '../../source/state/paths.ts';
import {noNetwork} from './no-network.ts';
import {SimulatedHypervisor} from './simulated-driver.ts';
import {SimulatedMounts} from './simulated-mounts.ts';

/** An image store with one image; `beforeFetch` lets a test hold or fail the download. */
export function simulatedImages(
	paths: Paths,
	hooks: {beforeFetch?: (signal: AbortSignal) => Promise<void>} = {},
): ImageStore {
	return {
		async resolve(query) {
			if (query !== 'micro' && query !== 'default')
				throw new DroverError('image.unknown', `there is no image ${query}`);
			return {
				query,
				provider: 'micro',
				os: 'drover',
				release: 'Micro 1',
				user: 'ubuntu',
				memoryMinimum: mebibyte,
				memoryDefault: 256 * mebibyte,
			};
		},
		async fetch(_image, work) {
			work.progress('fetching', 10);
			const held = hooks.beforeFetch?.(work.signal);
			if (held) await Promise.race([held, aborted(work.signal)]);
			makePrivate(paths.cache);
			const file = path.join(paths.cache, 'image');
			writeFileSync(file, 'image');
			return {path: file, format: 'raw', hash: `sha256:${'0'.repeat(64)}`, virtualSize: 160 * mebibyte};
		},
		find: async () => ({images: [], notes: []}),
		list: async () => ({images: [], size: 0, directory: paths.cache}),
		prune: async () => ({removed: [], kept: [], freed: 0}),
	};
}

function aborted(signal: AbortSignal): Promise<never> {
	return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), {once: true}));
}

/** A guest that has initialized itself. */
export const initialized: Workshop['followInit'] = async ({onLine}) => {
	onLine('verdict {"status":"done"}');
	return {complaint: ''};
};

/** The real engine over a simulated hypervisor. Guests answer at once unless `answers` says otherwise. */
export async function simulatedEngine(
	paths: Paths,
	{
		hypervisor = new SimulatedHypervisor(),
		mounts = new SimulatedMounts(),
		answers = () => true,
		driver = 'qemu',
		...options
	}: EngineOptions & {
		hypervisor?: SimulatedHypervisor;
		mounts?: SimulatedMounts;
		answers?: () => boolean;
		driver?: 'qemu' | 'lxd';
	} = {},
): Promise<{engine: LocalEngine; hypervisor: SimulatedHypervisor}> {
	const engine = await createEngine(paths, {
		loadDriver: async name => (name === driver ? hypervisor.driver(name) : undefined),
		images: simulatedImages(paths),
		// What is the default there: nothing needs to be set.
		host: {platform: 'linux', architecture: driver === 'lxd' ? 'arm64' : 'x64'},
		version: 'test',
		openClassic: mounts.open,
		openNetwork: noNetwork,
		mountPause: () => 5,
		...options,
		workshop: {
			async waitForAnswer({signal, timeoutMs}) {
				const deadline = Date.now() + timeoutMs;
				while (!answers()) {
					signal.throwIfAborted();
					if (Date.now() >= deadline) throw new DroverError('guest.unanswered', 'no answer');
					await new Promise(resolve => setTimeout(resolve, 5));
				}
				return 'SSH-2.0-simulated';
			},
			followInit: initialized,
			tryAnswer: async () => (answers() ? 'SSH-2.0-simulated' : undefined),
			...options.workshop,
		},
	});
	onTestFinished(() => engine.close());
	return {engine, hypervisor};
}

/** Waits until a condition holds; fails with what was seen last. */
export async function until<Value>(
	look: () => Value | Promise<Value>,
	test: (value: Value) => boolean,
	timeoutMs = 5000,
): Promise<Value> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		const value = await look();
		if (test(value)) return value;
		if (Date.now() > deadline) throw new Error(`timed out; last seen: ${JSON.stringify(value)}`);
		await new Promise(resolve => setTimeout(resolve, 5));
	}
}
