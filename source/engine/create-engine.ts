import {randomUUID} from 'node:crypto';
import process from 'node:process';
import type {Driver} from '../drivers/driver.ts';
import {defaultDriver, driversOn} from '../drivers/platforms.ts';
import {loadDriver} from '../drivers/registry.ts';
import {readBanner, waitForSsh} from '../guest/answer.ts';
import {followInit} from '../guest/follow-init.ts';
import {clientKey, generateHostKey} from '../guest/keys.ts';
import type {OpenClassic} from '../guest/mount/classic.ts';
import {type SshHost, writeSshConfig} from '../guest/ssh-config.ts';
import type {ImageStore} from '../images/image.ts';
import {version} from '../model/build.ts';
import {type DriverName, driverTitles} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import {hostRoutes} from '../network/host-routes.ts';
import {NetworkSession} from '../network/session.ts';
import {type System, thisSystem} from '../platform/system.ts';
import {makePrivate, type Paths} from '../state/paths.ts';
import {RecordStore} from '../state/records.ts';
import {openSettings} from '../state/settings.ts';
import {Layers} from './cloning/layers.ts';
import {DriverPool} from './driver-pool.ts';
import {PrivateNetwork, type PrivateNetworkParts} from './hardware/private-network.ts';
import {multipassPlaces} from './importing/places.ts';
import {Instances} from './instances.ts';
import {LocalEngine} from './local-engine.ts';
import {MountKeeper} from './mounting/mount-keeper.ts';
import {leftMountEnder, mountOpener} from './mounting/mount-opener.ts';
import type {pauseAfter} from './mounting/mount-plan.ts';
import {Operations} from './operations.ts';
import {Scene} from './scene.ts';
import type {Host} from './settings/setting-keys.ts';
import {Settings} from './settings/settings-desk.ts';
import type {Workshop} from './workshop.ts';

export type EngineOptions = {
	/** Instead of the real drivers: for tests. */
	readonly loadDriver?: (name: DriverName) => Promise<Driver | undefined>;
	readonly images?: ImageStore;
	readonly workshop?: Partial<Workshop>;
	readonly host?: Host;
	/** Default: the machine drover runs on. */
	readonly system?: System;
	readonly version?: string;
	readonly lookEveryMs?: number;
	readonly bootId?: string;
	/** Instead of real mounts over SSH. */
	readonly openClassic?: OpenClassic;
	/** What Node runs to become the process that serves a mount. Default: this very program. */
	readonly mountProgram?: readonly string[];
	readonly mountPause?: typeof pauseAfter;
	/** Instead of the process that serves the private network. */
	readonly openNetwork?: PrivateNetworkParts['openSession'];
	/** What Node runs to become that process. Default: this very program. */
	readonly networkProgram?: readonly string[];
};

/** Puts the engine together over the directories of one user and opens it. Only one may be open over them at a time. */
export async function createEngine(paths: Paths, options: EngineOptions = {}): Promise<LocalEngine> {
	for (const directory of [paths.data, paths.cache, paths.runtime, paths.config]) makePrivate(directory);
	const system = options.system ?? thisSystem();
	const host = options.host ?? {platform: system.platform, architecture: system.architecture};
	const settings = new Settings(await openSettings(paths.config), host);
	const images =
		options.images ??
		(await import('../images/store.ts')).createImageStore({
			paths,
			mirror: () => settings.get('local.image.mirror').value,
			architecture: host.architecture,
		});
	const operations = new Operations(operation => engine.emit({type: 'operation', operation}));
	const layers = new Layers(paths);
	const openScene = (driver: Driver): Scene => {
		const instances: Instances = new Instances({
			driver,
			records: new RecordStore(paths),
			paths,
			onChange(change) {
				// One that is looked at beside the current one is nobody's business.
				if (!engine.isCurrent(instances)) return;
				engine.emit({type: 'instances', ...change});
				// `ssh NAME.drover` follows what is there; a failure to write it must not stop anything else.
				// After the end nothing must appear in a home that may be removed.
				void writeSshConfig(paths, reachable(instances), () => !engine.isClosed).catch(() => {});
			},
		});
		const setting = (key: string) => settings.get(key).value;
		const shop: Workshop = {
			paths,
			instances,
			images,
			layers,
			mounts: new MountKeeper({
				instances,
				...(options.mountPause === undefined ? {} : {pause: options.mountPause}),
				endLeft: leftMountEnder({paths, instances}),
				open: mountOpener({
					paths,
					instances,
					setting,
					openClassic:
						options.openClassic ?? (async input => (await import('../guest/mount/classic.ts')).openClassic(input)),
					program: options.mountProgram ?? [process.argv[1] ?? '', 'serve-mount'],
				}),
			}),
			network: new PrivateNetwork({
				instances,
				setting,
				routes: hostRoutes,
				openSession:
					options.openNetwork ??
					(onReport =>
						new NetworkSession({
							program: options.networkProgram ?? [process.argv[1] ?? '', 'serve-network'],
							onReport,
						})),
			}),
			waitForAnswer: waitForSsh,
			tryAnswer: ssh =>
				readBanner({...ssh, timeoutMs: 500, signal: new AbortController().signal}).catch(() => undefined),
			directAfterMs: 15_000,
			followInit,
			clientKey: () => clientKey(paths),
			hostKey: generateHostKey,
			arch: host.architecture === 'arm64' ? 'aarch64' : 'x86_64',
			setting,
			now: () => new Date(),
			random: Math.random,
			uuid: randomUUID,
			multipassPlaces: multipassPlaces(host.platform, system.environment),
			...options.workshop,
		};
		return new Scene({driver, instances, shop, operations, host});
	};
	const pool = new DriverPool(
		options.loadDriver ?? (name => loadDriver(name, {paths, setting: key => settings.get(key).value, system})),
	);
	const load = async (name: DriverName): Promise<Driver> => {
		const driver = await pool.get(name);
		if (driver) return driver;
		throw new DroverError('driver.unsupported', `This version of drover cannot use ${driverTitles[name]} yet.`, {
			next: `The driver stays ${settings.driver()}.`,
		});
	};
	// A setting of another version or platform must not keep drover from opening; it is told, and not overwritten.
	const driver = await firstThatLoads(settings.driver(), host, load);
	const engine = new LocalEngine({
		paths,
		images,
		layers,
		operations,
		settings,
		host,
		system,
		drivers: pool,
		version: options.version ?? version,
		lookEveryMs: options.lookEveryMs ?? 10_000,
		bootId: options.bootId ?? (await system.bootId()),
		scene: openScene(driver),
		warnings:
			driver.name === settings.driver()
				? []
				: [
						`The driver ${settings.driver()} cannot be used by this version of drover: ${driver.name} is in force; the setting was left as it is.`,
					],
		makeScene: async name => openScene(await load(name)),
	});
	await engine.open();
	return engine;
}

/** The chosen driver; where this version cannot use it, the platform's default, and then whatever it has. */
async function firstThatLoads(
	chosen: DriverName,
	{platform, architecture}: Host,
	load: (name: DriverName) => Promise<Driver>,
): Promise<Driver> {
	const others = [defaultDriver(platform, architecture), ...driversOn(platform)].filter(name => name !== chosen);
	try {
		return await load(chosen);
	} catch (error) {
		for (const name of others) {
			const driver = await load(name).catch(() => undefined);
			if (driver) return driver;
		}
		throw error;
	}
}

/** Instances as `ssh` needs to know them: by the port that is kept for them, else by the address they have now. */
function reachable(instances: Instances): SshHost[] {
	return instances.all().flatMap(({stored, view}) => {
		if (stored.kind !== 'record') return [];
		const {name, id, ssh, deleted} = stored.record;
		const at = ssh.port === undefined ? view.ssh : {host: '127.0.0.1', port: ssh.port};
		if (at === undefined || deleted) return [];
		return [{name, id, host: at.host, port: at.port, user: ssh.user, hostKey: ssh.hostKey}];
	});
}
