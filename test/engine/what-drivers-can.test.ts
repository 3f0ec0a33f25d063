import {tmpdir} from 'node:os';
import {describe, expect, onTestFinished, test} from 'vitest';
import {capabilities} from '../../source/drivers/capabilities.ts';
import type {Driver} from '../../source/drivers/driver.ts';
import {featuresOf} from '../../source/drivers/features.ts';
import {driversOn} from '../../source/drivers/platforms.ts';
import {loadDriver} from '../../source/drivers/registry.ts';
import {
	type Availability,
	availability,
	type InstanceAction,
	instanceActions,
} from '../../source/engine/availability.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {type DriverName, driverNames, driverTitles, type Platform} from '../../source/model/driver-name.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {InstanceView} from '../../source/model/instance.ts';
import type {OperationView} from '../../source/model/operation.ts';
import {type InstanceState, instanceStates} from '../../source/model/state.ts';
import {systemOf} from '../../source/platform/system.ts';
import {locate} from '../../source/state/paths.ts';
import {openSettings} from '../../source/state/settings.ts';
import {simulatedEngine} from '../support/engine.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {optionalMethods} from '../support/simulated-parts.ts';

/** The driver as this version has it; nothing of it is asked. */
async function realDriver(name: DriverName): Promise<Driver | undefined> {
	const driver = await loadDriver(name, {
		paths: locate({DROVER_HOME: '/nowhere'}, 'linux'),
		setting: () => '',
		system: systemOf('linux'),
	});
	onTestFinished(() => driver?.close?.());
	return driver;
}

/** Written down once more, from the documentation that the project follows and not from the code: on which platforms. */
const documented: Readonly<Record<DriverName, Partial<Record<InstanceAction, readonly Platform[]>>>> = {
	qemu: {suspend: ['linux', 'darwin'], snapshot: ['linux', 'darwin'], networks: ['darwin']},
	libvirt: {suspend: ['linux'], snapshot: [], networks: []},
	lxd: {suspend: [], snapshot: [], networks: ['linux']},
	virtualbox: {suspend: ['darwin', 'win32'], snapshot: [], networks: ['darwin', 'win32']},
	hyperv: {suspend: [], snapshot: ['win32'], networks: ['win32']},
};

/** What this version must have of a driver for an action that not all of them have. */
const needed: Partial<Record<InstanceAction, string>> = {
	networks: 'networks',
	edit: 'resize',
	snapshot: 'snapshots',
	duplicate: 'clone',
};

/**
 * In which states an action is possible where nothing else speaks against it, in the order of `instanceStates`: Running,
 * Stopped, Deleted, Starting, Restarting, Delayed Shutdown, Suspending, Suspended, Unknown, Broken. `l`: where it can be
 * done while the instance runs.
 */
const byState: Readonly<Record<InstanceAction, string>> = {
	shell: 'y....y....',
	start: '.y...y.y..',
	stop: 'y....y..y.',
	restart: 'y....y....',
	suspend: 'y....y..y.',
	snapshot: 'ly...l....',
	duplicate: '.y........',
	mounts: 'yy...y.yy.',
	networks: 'ly...l....',
	edit: 'ly...l....',
	delete: 'yy...y.yy.',
	recover: '..y.......',
	purge: '..y.......',
};

function expected(
	action: InstanceAction,
	state: InstanceState,
	driver: {name: DriverName; features: readonly string[]; live: readonly string[]; usable: boolean},
	platform: Platform,
): 'can' | Extract<Availability, {can: false}>['kind'] {
	const where = documented[driver.name][action];
	if (where !== undefined && !where.includes(platform)) return 'not-here';
	if (!driver.usable && action !== 'recover' && action !== 'delete') return 'not-here';
	const feature = needed[action];
	if (feature !== undefined && !driver.features.includes(feature)) return 'not-yet';
	const rule = byState[action][instanceStates.indexOf(state)];
	const isLive =
		action === 'edit'
			? driver.live.some(each => ['cpus', 'memory', 'disk'].includes(each))
			: driver.live.includes(action === 'snapshot' ? 'snapshots' : action);
	return rule === 'y' || (rule === 'l' && isLive) ? 'can' : 'not-now';
}

describe.each(driverNames)('%s: what can be done with an instance', name => {
	test('is possible, or its reason is the right one, for each action in each state', async () => {
		const {features, resizesLive, snapshotsLive} = featuresOf(await realDriver(name));
		const isBuilt = features.length > 0;
		const live = [...resizesLive, ...(snapshotsLive ? ['snapshots'] : [])];
		for (const platform of ['linux', 'darwin', 'win32'] as const) {
			if (!driversOn(platform).includes(name)) continue;
			for (const usable of isBuilt ? [true, false] : [true]) {
				const driver = fakeDriver(name, {
					capabilities: capabilities(name, platform),
					health: {installed: true, usable, summary: 'it is away', checkedAt: 0},
					features,
					resizesLive,
					snapshotsLive,
				});
				for (const action of instanceActions) {
					for (const state of instanceStates) {
						const answer = availability(action, fakeInstance('web', state), driver);
						const what = `${action} of one that is ${state}, on ${platform}`;
						const right = expected(action, state, {name, features, live, usable}, platform);
						expect(answer.can ? 'can' : answer.kind, what).toBe(right);
						if (answer.can) continue;
						const others = driverNames.filter(other => (documented[other][action]?.length ?? 0) > 0);
						const isTable = documented[name][action]?.includes(platform) === false;
						if (isTable) {
							for (const other of others) expect(answer.reason, what).toContain(driverTitles[other]);
							const here = others.filter(
								other => driversOn(platform).includes(other) && documented[other][action]!.includes(platform),
							);
							expect([...(answer.drivers ?? [])].sort(), what).toEqual([...here].sort());
						} else if (answer.kind === 'not-here') {
							expect(answer.reason, what).toBe(`${driverTitles[name]} cannot be used: it is away`);
						} else if (answer.kind === 'not-yet') {
							expect(answer.reason, what).toMatch(/not in this version of drover/);
						}
					}
				}
			}
		}
	});
});

type Ask = (engine: Engine, name: string) => Promise<unknown>;

const by = 'kim';
const act =
	(action: Parameters<Engine['act']>[0]['action']): Ask =>
	(engine, name) =>
		engine.act({action, names: [name], by});

/** What the menu's actions ask of the engine. */
const requests: Readonly<Record<InstanceAction, Ask>> = {
	shell: (engine, name) => engine.access({name}),
	start: act('start'),
	stop: act('stop'),
	restart: act('restart'),
	suspend: act('suspend'),
	snapshot: (engine, name) => engine.snapshot({name, by}),
	duplicate: (engine, name) => engine.clone({name, by}),
	mounts: (engine, name) =>
		engine.mount({name, mount: {source: tmpdir(), target: '/mnt/a', type: 'classic', uidMap: [], gidMap: []}, by}),
	networks: (engine, name) => engine.addNetwork({name, network: 'br0', by}),
	edit: (engine, name) => engine.resize({name, memory: 2 ** 29, by}),
	delete: act('delete'),
	recover: act('recover'),
	purge: act('purge'),
};

type Outcome = {readonly error?: DroverError; readonly note?: string};

/** Does it, and waits for its end. */
async function outcomeOf(engine: Engine, asked: Promise<unknown>): Promise<Outcome> {
	try {
		const answer = (await asked) as Partial<OperationView>;
		if (answer.items === undefined) return {};
		const {error, items} = await engine.wait({id: answer.id!});
		if (error !== undefined) return {error: DroverError.from(error)};
		const note = items[0]?.note;
		return note === undefined ? {} : {note};
	} catch (error) {
		if (error instanceof DroverError) return {error};
		throw error;
	}
}

describe.each(['qemu', 'libvirt', 'lxd'] as const)('%s: the engine keeps what the menu says', name => {
	const states = ['Running', 'Stopped', 'Suspended', 'Deleted'] as const;

	async function house() {
		const real = await realDriver(name);
		const hypervisor = new SimulatedHypervisor();
		hypervisor.offers.set(
			name,
			optionalMethods.filter(method => real?.[method] !== undefined),
		);
		hypervisor.parts.resizesLive = new Set(
			['cpus', 'memory', 'disk'].filter(each => real?.resizesLive?.has(each as 'cpus')) as Array<'cpus'>,
		);
		hypervisor.parts.snapshotsLive = real?.snapshots?.isLive ?? false;
		const paths = scratchPaths();
		(await openSettings(paths.config)).set('local.driver', name);
		const {engine} = await simulatedEngine(paths, {
			hypervisor,
			loadDriver: async other => (other === name ? hypervisor.driver(name) : undefined),
		});
		return engine;
	}

	test.each(states)('of one that is %s', async state => {
		const engine = await house();
		const {driver} = await engine.overview();
		if (state === 'Suspended' && driver.capabilities.suspend.can === 'no') return;
		const actions = instanceActions;
		const ended = async (begin: Promise<OperationView>) => {
			const {error} = await engine.wait({id: (await begin).id});
			if (error) throw DroverError.from(error);
		};
		await Promise.all(actions.map(action => ended(engine.launch({name: action, by}))));
		const first = {Running: undefined, Stopped: 'stop', Suspended: 'suspend', Deleted: 'delete'} as const;
		if (first[state] !== undefined) await ended(engine.act({action: first[state], names: actions, by}));
		const views = new Map<string, InstanceView>((await engine.list()).map(view => [view.name, view]));
		for (const action of actions) {
			const view = views.get(action)!;
			expect(view.state).toBe(state);
			const answer = availability(action, view, driver);
			const {error, note} = await outcomeOf(engine, requests[action](engine, action));
			if (answer.can) {
				expect({action, error}).toEqual({action, error: undefined});
			} else if (answer.kind === 'not-now') {
				if (note !== undefined) expect(note, action).toBe(answer.reason);
				else expect(error?.code, action).toMatch(/^instance\./);
			} else {
				expect(error?.code, action).toBe('driver.incapable');
				expect(error?.message.toLowerCase(), action).toContain(answer.reason.toLowerCase());
			}
		}
	});
});
