import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Engine, LaunchRequest} from '../../source/engine/engine.ts';
import type {Workshop} from '../../source/engine/workshop.ts';
import {isEnded, type OperationView} from '../../source/model/operation.ts';
import {instanceDirectory, type Paths} from '../../source/state/paths.ts';
import {simulatedEngine, simulatedImages, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {SimulatedMounts} from '../support/simulated-mounts.ts';

const by = 'kim';

/** A guest whose initialization says what a test has it say, on every connection that is made to it. */
class Guest {
	connections = 0;
	complaint = '';
	readonly #said: string[] = [];
	#tell: (line: string) => void = () => {};
	#drop: () => void = () => {};

	say(line: string): void {
		this.#said.push(line);
		this.#tell(line);
	}

	/** The connection ends, as when it reboots; it is refused with these words from now on. */
	drop(complaint = 'Connection reset'): void {
		this.complaint = complaint;
		this.#drop();
	}

	readonly followInit: Workshop['followInit'] = async ({onLine, signal}) => {
		this.connections++;
		if (this.complaint.startsWith('Permission denied')) return {complaint: this.complaint};
		for (const line of this.#said) onLine(line);
		if (signal.aborted) return {complaint: ''};
		this.#tell = onLine;
		await new Promise<void>(resolve => {
			this.#drop = resolve;
			signal.addEventListener('abort', () => resolve(), {once: true});
		});
		return {complaint: signal.aborted ? '' : this.complaint};
	};
}

async function house(paths: Paths = scratchPaths(), hypervisor = new SimulatedHypervisor(), guest = new Guest()) {
	const {engine} = await simulatedEngine(paths, {hypervisor, workshop: {followInit: guest.followInit}});
	const launch = async (request: Partial<LaunchRequest> = {}) =>
		(await engine.launch({name: 'web', by, ...request})).id;
	const waiting = async (request: Partial<LaunchRequest> = {}) => {
		const id = await launch(request);
		await until(() => engine.operation({id}), isWaiting);
		return id;
	};
	return {engine, hypervisor, guest, paths, launch, waiting};
}

const isWaiting = ({items}: OperationView) => items[0]!.stage.startsWith('waiting for initialization');
const stageOf = async (engine: Engine, id: string) => (await engine.operation({id})).items[0]!.stage;
const record = (paths: Paths) =>
	JSON.parse(readFileSync(`${instanceDirectory(paths, 'qemu', 'web')}/instance.json`, 'utf8'));
const running = (stage: string, errors: readonly string[] = []) =>
	`status ${JSON.stringify({v1: {stage, [stage]: {errors, start: 1}}})}`;
const verdict = (more: object) => `verdict ${JSON.stringify({status: 'done', errors: [], ...more})}`;

describe('while the guest initializes itself', () => {
	test('its stage is told, it is Running, and the launch ends with it', async () => {
		const {engine, guest, waiting, paths} = await house();
		const id = await waiting();
		expect(await engine.list()).toMatchObject([
			{state: 'Running', operation: {id, kind: 'launch', stage: 'waiting for initialization'}},
		]);
		expect(record(paths)).toMatchObject({phase: 'ready', intent: {action: 'launch'}});
		guest.say(running('modules-config'));
		await until(
			() => stageOf(engine, id),
			stage => stage === 'waiting for initialization: modules-config',
		);
		guest.say(running('modules-final', ['it broke']));
		await until(
			() => stageOf(engine, id),
			stage => stage === 'waiting for initialization: modules-final, 1 failed',
		);
		expect((await engine.operation({id})).state).toBe('running');
		guest.say(verdict({}));
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
		expect((await engine.operationLog({id})).map(({text}) => text)).toContain('cloud-init reports an error: it broke');
		const [view] = await engine.list();
		expect(view!.operation).toBeUndefined();
		expect(record(paths).intent).toBeUndefined();
		expect((await engine.instanceEvents({name: 'web'})).map(({what}) => what)).toEqual([
			'launched from default',
			expect.stringMatching(/^initialized, \d/),
		]);
	});

	test('a connection that breaks is made again', async () => {
		const {engine, guest, waiting} = await house();
		const id = await waiting();
		guest.drop();
		await until(
			() => guest.connections,
			count => count === 2,
		);
		guest.say(verdict({}));
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
	});

	test('a stop need not wait for it, and ends the waiting', async () => {
		const {engine, waiting, paths} = await house();
		const id = await waiting();
		const stop = await engine.act({action: 'stop', names: ['web'], by});
		expect(await engine.wait({id: stop.id})).toMatchObject({state: 'done'});
		expect(await engine.wait({id})).toMatchObject({
			state: 'failed',
			error: {code: 'guest.failed', message: 'web was launched, but stopped before its initialization had ended'},
		});
		expect(record(paths)).toMatchObject({desired: 'stopped'});
		expect(record(paths).intent).toBeUndefined();
	});

	test('it can be purged', async () => {
		const {engine, waiting} = await house();
		const id = await waiting();
		const purge = await engine.act({action: 'delete', names: ['web'], options: {purge: true}, by});
		expect(await engine.wait({id: purge.id})).toMatchObject({state: 'done'});
		expect((await engine.wait({id})).state).toBe('failed');
		expect(await engine.list()).toEqual([]);
	});

	test('calling the launch off ends the waiting; the instance stays', async () => {
		const {engine, waiting, paths} = await house();
		const id = await waiting();
		await engine.cancel({id, by: 'ann'});
		expect(await engine.wait({id})).toMatchObject({
			state: 'cancelled',
			error: {message: 'cancelled by ann; web was launched and stays'},
		});
		expect(await engine.list()).toMatchObject([{state: 'Running'}]);
		expect(record(paths).intent).toBeUndefined();
	});

	test('more launches can boot', async () => {
		const {engine, guest} = await house();
		const ids: string[] = [];
		// More than boot at once.
		for (let index = 0; index < 40; index++) ids.push((await engine.launch({name: `web-${index}`, by})).id);
		for (const id of ids) await until(() => engine.operation({id}), isWaiting);
		guest.say(verdict({}));
		for (const id of ids) {
			await engine.cancel({id, by});
			expect(isEnded(await engine.wait({id}))).toBe(true);
		}
	});

	test('a switch is refused, as at any work', async () => {
		const hypervisor = new SimulatedHypervisor();
		const guest = new Guest();
		const paths = scratchPaths();
		const {engine} = await simulatedEngine(paths, {
			hypervisor,
			loadDriver: async name => (name === 'qemu' || name === 'libvirt' ? hypervisor.driver(name) : undefined),
			workshop: {followInit: guest.followInit},
		});
		const {id} = await engine.launch({name: 'web', by});
		await until(() => engine.operation({id}), isWaiting);
		await expect(engine.switchDriver({to: 'libvirt', by})).rejects.toMatchObject({
			message: expect.stringMatching(/web/),
		});
		guest.say(verdict({}));
		await engine.wait({id});
	});
});

describe('what it comes to', () => {
	test.each<[string, string, object]>([
		[
			'warnings are a note',
			verdict({recoverable_errors: {WARNING: ['low', 'odd']}}),
			{state: 'done', items: [{note: 'cloud-init has ended, with 2 warnings: low'}]},
		],
		['no cloud-init is a note', 'absent', {state: 'done', items: [{note: expect.stringMatching(/has no cloud-init/)}]}],
		['a disabled one too', 'disabled', {state: 'done', items: [{note: expect.stringMatching(/is disabled/)}]}],
		[
			'an error is one, and the instance stays',
			verdict({status: 'error', errors: ['no such package.', 'b', 'c']}),
			{
				state: 'failed',
				error: {
					code: 'guest.failed',
					message: 'web was launched and runs, but cloud-init failed in it: no such package (and 2 more)',
					next: expect.stringContaining('drover exec web -- sudo cat /var/log/cloud-init-output.log'),
				},
			},
		],
	])('%s', async (_what, line, ended) => {
		const {engine, guest, launch} = await house();
		guest.say(line);
		expect(await engine.wait({id: await launch()})).toMatchObject(ended);
		expect(await engine.list()).toMatchObject([{state: 'Running'}]);
	});

	test('a cloud-config that nobody applies', async () => {
		const {engine, guest, launch} = await house();
		guest.say('absent');
		expect(await engine.wait({id: await launch({cloudInit: 'packages: [curl]'})})).toMatchObject({
			state: 'failed',
			error: {message: 'web was launched and runs, but its cloud-config was not applied: the image has no cloud-init'},
		});
	});

	test('too late: what was seen last is told', async () => {
		const {engine, guest, launch} = await house();
		guest.say(running('modules-final'));
		expect(await engine.wait({id: await launch({answerTimeout: 0.2})})).toMatchObject({
			state: 'failed',
			error: {
				code: 'guest.unanswered',
				message:
					'web was launched and runs, but its initialization has not ended in 0.2 s: the last stage seen was modules-final',
			},
		});
		expect(await engine.list()).toMatchObject([{state: 'Running'}]);
	});

	test('nobody is let in', async () => {
		const {engine, guest, launch} = await house();
		guest.drop('Permission denied (publickey)');
		expect(await engine.wait({id: await launch({answerTimeout: 4})})).toMatchObject({
			state: 'failed',
			error: {message: expect.stringMatching(/nobody is let in to ask .*: Permission denied \(publickey\)$/)},
		});
		expect(guest.connections).toBeGreaterThan(1);
	});

	test('mounts of a guest that does not answer in time come when it does', async () => {
		let answers = false;
		const mounts = new SimulatedMounts();
		const paths = scratchPaths();
		const {engine} = await simulatedEngine(paths, {mounts, answers: () => answers});
		const mount = {source: paths.data, target: '/a', type: 'classic', uidMap: [], gidMap: []} as const;
		const {id} = await engine.launch({name: 'web', mounts: [mount], answerTimeout: 0.05, by});
		expect(await engine.wait({id})).toMatchObject({state: 'failed', error: {code: 'guest.unanswered'}});
		expect(record(paths).mounts).toMatchObject([{source: paths.data, target: '/a'}]);
		answers = true;
		await engine.refresh();
		await until(
			async () => (await engine.list())[0]!,
			view => view.state === 'Running' && mounts.sessions.some(session => session.how === 'alive'),
		);
	});

	test('a launch that is called off while they are made late is undone', async () => {
		const hypervisor = new SimulatedHypervisor();
		hypervisor.offers.set('lxd', ['mount', 'unmount']);
		let arrived = () => {};
		const mounting = new Promise<void>(resolve => {
			arrived = resolve;
		});
		hypervisor.before.set('mount', async () => {
			arrived();
			await new Promise(() => {});
		});
		const paths = scratchPaths();
		const {engine} = await simulatedEngine(paths, {hypervisor, driver: 'lxd', answers: () => false});
		const mount = {source: paths.data, target: '/a', type: 'native', uidMap: [], gidMap: []} as const;
		const {id} = await engine.launch({name: 'web', mounts: [mount], answerTimeout: 0.05, by});
		await mounting;
		await engine.cancel({id, by});
		expect(await engine.wait({id})).toMatchObject({state: 'cancelled'});
		expect(await engine.list()).toEqual([]);
	});

	test('mounts that fail are told together with it', async () => {
		const hypervisor = new SimulatedHypervisor();
		hypervisor.offers.set('lxd', ['mount', 'unmount', 'execute']);
		hypervisor.parts.initLine = () => verdict({status: 'error', errors: ['a']});
		hypervisor.before.set('mount', () => Promise.reject(new Error('no')));
		const paths = scratchPaths();
		const {engine} = await simulatedEngine(paths, {hypervisor, driver: 'lxd'});
		const mount = {source: paths.data, target: '/a', type: 'native', uidMap: [], gidMap: []} as const;
		const {id} = await engine.launch({name: 'web', mounts: [mount], by});
		expect(await engine.wait({id})).toMatchObject({
			state: 'failed',
			error: {
				code: 'guest.failed',
				message: `web was launched and runs, but cloud-init failed in it: a; "${paths.data}" could not be mounted on "/a": drover itself failed: no`,
			},
		});
	});
});

describe('by way of the hypervisor', () => {
	test('it is asked again and again, without SSH', async () => {
		const hypervisor = new SimulatedHypervisor();
		hypervisor.offers.set('lxd', ['execute']);
		const lines = [running('init'), running('modules-final'), verdict({})];
		hypervisor.parts.initLine = () => (lines.length > 1 ? lines.shift()! : lines[0]!);
		const guest = new Guest();
		const {engine} = await simulatedEngine(scratchPaths(), {
			hypervisor,
			driver: 'lxd',
			workshop: {followInit: guest.followInit},
		});
		const {id} = await engine.launch({name: 'web', by});
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
		const log = (await engine.operationLog({id})).map(({text}) => text);
		expect(log).toContain('waiting for initialization: modules-final');
		expect(guest.connections).toBe(0);
	});

	test('where it cannot be, SSH is the way', async () => {
		const hypervisor = new SimulatedHypervisor();
		hypervisor.offers.set('lxd', ['execute']);
		hypervisor.before.set('execute', () => Promise.reject(new Error('no agent')));
		const {engine} = await simulatedEngine(scratchPaths(), {hypervisor, driver: 'lxd'});
		const {id} = await engine.launch({name: 'web', by});
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
	});
});

describe('a daemon that dies meanwhile', () => {
	test('is followed by one that waits on, and undoes nothing', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {waiting} = await house(paths, hypervisor);
		await waiting();
		const boot = hypervisor.bootIdOf(record(paths).id);

		const guest = new Guest();
		const images = {...simulatedImages(paths), resolve: () => Promise.reject(new Error('offline'))};
		const {engine} = await simulatedEngine(paths, {hypervisor, images, workshop: {followInit: guest.followInit}});
		const [operation] = await engine.operations();
		expect(operation).toMatchObject({kind: 'launch', by});
		await until(() => engine.operation({id: operation!.id}), isWaiting);
		expect(await engine.list()).toMatchObject([{state: 'Running'}]);
		guest.say(verdict({}));
		expect(await engine.wait({id: operation!.id})).toMatchObject({state: 'done'});
		expect(hypervisor.bootIdOf(record(paths).id)).toBe(boot);
		expect(record(paths).intent).toBeUndefined();
	});

	test('in order: the same', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: first, waiting} = await house(paths, hypervisor);
		await waiting();
		await first.close();
		expect(record(paths)).toMatchObject({phase: 'ready', intent: {action: 'launch'}});
		const {engine} = await simulatedEngine(paths, {hypervisor});
		await until(
			() => engine.operations(),
			operations => operations.length === 1 && operations.every(isEnded),
		);
		expect((await engine.operations())[0]).toMatchObject({state: 'done'});
	});
});

describe('what earlier launches took', () => {
	const times = (paths: Paths) => path.join(paths.data, 'launch-times.json');
	const key = `qemu sha256:${'0'.repeat(64)}`;

	test('is remembered, and told of the next one', async () => {
		const {engine, guest, paths, launch} = await house();
		guest.say(verdict({}));
		await engine.wait({id: await launch({name: 'first'})});
		await engine.close();
		const remembered = JSON.parse(readFileSync(times(paths), 'utf8'));
		expect(remembered.images[key]).toMatchObject({
			create: [expect.any(Number)],
			boot: [expect.any(Number)],
			init: {'': [expect.any(Number)]},
		});
		// As if it had taken longer.
		remembered.images[key] = {create: [0], boot: [60_000], init: {'': [20_000]}};
		writeFileSync(times(paths), JSON.stringify(remembered));
		const next = await house(paths, new SimulatedHypervisor(), new Guest());
		const id = await next.waiting({name: 'second'});
		expect((await next.engine.operation({id})).items).toMatchObject([
			{stage: 'waiting for initialization (usually 20 s)', percent: 75},
		]);
		next.guest.say(verdict({}));
		expect(await next.engine.wait({id})).toMatchObject({state: 'done'});
	});

	test('a file that cannot be read is as none', async () => {
		const paths = scratchPaths();
		const {engine, guest, launch} = await house(paths);
		writeFileSync(times(paths), '{"schema": 1, "images": {"x": 7}}');
		guest.say(verdict({}));
		expect(await engine.wait({id: await launch()})).toMatchObject({state: 'done'});
		expect(Object.keys(JSON.parse(readFileSync(times(paths), 'utf8')).images)).toEqual([key]);
	});
});
