import {chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {DroverError} from '../../../source/model/errors.ts';
import {eventually, Subject} from '../../contract/subject.ts';
import {scratchPaths} from '../../support/scratch.ts';
import {begun, done, type FakeAnswer, type FakeRequest, FakeServer, facts, operation, refused} from './fake-server.ts';

const settings: Readonly<Record<string, string>> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};

/** A driver for what listens on a socket. `PATH`: where the servers' programs are looked for. */
function driverFor(socket: string, PATH = '') {
	const driver = createLxdDriver({
		paths: scratchPaths(),
		setting: key => settings[key] ?? '',
		environment: {LXD_SOCKET: socket, PATH},
	});
	onTestFinished(() => driver.close?.());
	return driver;
}

function socketPath(): string {
	const directory = mkdtempSync('/tmp/dl-fake-');
	onTestFinished(() => rmSync(directory, {recursive: true, force: true}));
	return path.join(directory, 's');
}

type Handler = (request: FakeRequest) => FakeAnswer | undefined;

/** A server with one instance, and a driver for it. */
async function stage(...handlers: Handler[]) {
	const socket = socketPath();
	const fake = await FakeServer.listen({socket}, ...handlers);
	onTestFinished(() => fake.close());
	const driver = driverFor(socket);
	const image = {path: '/nowhere', format: 'rootfs', hash: 'sha256:00'} as const;
	const web = await Subject.make(scratchPaths(), image as never, 'web', 'lxd');
	web.record = {...web.record, phase: 'ready', lxd: {type: 'container', project: 'drover'}};
	const state = {code: 102};
	const instance = () => ({
		name: 'web',
		status_code: state.code,
		type: 'container',
		config: {'user.drover.id': web.record.id},
		devices: {},
	});
	fake.say(({method, path: asked}) => {
		if (method !== 'GET') return undefined;
		if (asked === '/1.0/instances/web') return done(instance());
		return asked === '/1.0/instances' ? done([instance()]) : undefined;
	});
	return {fake, driver, web, state};
}

const changesState: Handler = ({method, path: asked}) =>
	method === 'PUT' && asked === '/1.0/instances/web/state' ? begun('op') : undefined;
const waits =
	(answer: FakeAnswer): Handler =>
	({path: asked}) =>
		asked === '/1.0/operations/op/wait' ? answer : undefined;

async function failureOf(work: Promise<unknown>): Promise<DroverError> {
	const error = await work.then(
		() => undefined,
		(thrown: unknown) => thrown,
	);
	expect(error).toBeInstanceOf(DroverError);
	return error as DroverError;
}

describe('work that the server fails at is one error, however it tells', () => {
	test.each([
		['an operation that ended badly', waits(operation(400, 'Failed to run: forkstart: exit status 1'))],
		['as Incus answers a wait', waits(refused(500, 'Failed to run: forkstart: exit status 1'))],
		[
			'as Incus answers a wait, with status 200',
			waits({json: {type: 'error', error_code: 400, error: 'Failed to run: forkstart: exit status 1', metadata: null}}),
		],
	])('%s', async (_, handler) => {
		const log = 'lxc web 1 ERROR    start - start.c:lxc_spawn:1 - No room for another one';
		const {driver, web, fake} = await stage(changesState, handler);
		fake.say(({path: asked}) => (asked.endsWith('/logs/lxc.log') ? {text: log} : undefined));
		expect(await failureOf(web.start(driver))).toMatchObject({
			code: 'driver.failed',
			message: 'LXD could not start it: No room for another one.',
			next: expect.stringMatching(/operations --log/),
		});
	});

	test('an answer of an HTTP error', async () => {
		const {driver, web, fake} = await stage();
		fake.say(({method}) => (method === 'PUT' ? refused(500, 'write /x: no space left on device') : undefined));
		expect(await failureOf(web.start(driver))).toMatchObject({
			code: 'driver.failed',
			message: expect.stringContaining('no space left on device'),
			next: 'Free some space in the storage pool.',
		});
		fake.say(({method}) => (method === 'PUT' ? refused(403, 'not authorized') : undefined));
		expect(await failureOf(driver.resize!(web.record, web.place, {cpus: 2}, web.work()))).toMatchObject({
			code: 'driver.failed',
		});
	});

	test('an answer that is no JSON, or no answer of such a server', async () => {
		for (const text of ['<html>', '{"type":"other"}', '"sync"', 'null', '']) {
			const {driver, web} = await stage(({method}) => (method === 'PUT' ? {text} : undefined));
			expect(await failureOf(web.start(driver)), text).toMatchObject({
				code: 'driver.failed',
				message: expect.stringMatching(/makes no sense while starting/),
			});
		}
	});

	test('an operation without a state', async () => {
		const {driver, web} = await stage(changesState, waits(done({status_code: 'soon'})));
		expect(await failureOf(web.start(driver))).toMatchObject({code: 'driver.failed'});
	});
});

describe('an operation that the server has forgotten', () => {
	test('is looked for in how things are: done, it is fine', async () => {
		const {driver, web, state} = await stage(changesState, ({path: asked}) => {
			if (!asked.endsWith('/wait')) return undefined;
			state.code = state.code === 102 ? 103 : 102;
			return refused(404, 'Operation not found');
		});
		await web.start(driver);
		expect(state.code).toBe(103);
		await web.stop(driver);
		expect(state.code).toBe(102);
		await web.start(driver);
		await web.powerOff(driver);
		expect(state.code).toBe(102);
	});

	test('not done and forgotten again and again, it is an error in the end', async () => {
		const {driver, web, fake} = await stage(changesState, waits(refused(404, 'Operation not found')));
		expect(await failureOf(web.start(driver))).toMatchObject({code: 'driver.failed', next: 'Try again.'});
		expect(fake.requests.filter(request => request.startsWith('PUT')).length).toBeLessThan(10);
	});
});

test('a bridge of that name that is another server’s is not taken for drover’s', async () => {
	const {driver, web} = await stage(({path: asked}) => {
		if (asked === '/1.0/projects/drover' || asked === '/1.0/instances/web') return done({});
		if (asked === '/1.0/storage-pools') return done([{name: 'default', driver: 'dir'}]);
		return asked === '/1.0/networks/droverbr0' ? done({name: 'droverbr0', type: 'bridge', managed: false}) : undefined;
	});
	expect(await failureOf(web.create(driver))).toMatchObject({
		code: 'driver.unusable',
		message: "The host has a network droverbr0 already, and it is not this server's.",
		next: expect.stringMatching(/ip link delete droverbr0/),
	});
});

test('work that is called off is given up, and the server is told', async () => {
	const {driver, web, fake} = await stage(changesState, waits('hang'));
	const abort = new AbortController();
	const starting = failureOf(driver.start(web.record, web.place, web.work(abort.signal)));
	await fake.asked('GET /1.0/operations/op/wait');
	abort.abort();
	expect(await starting).toMatchObject({code: 'operation.cancelled'});
	await fake.asked('DELETE /1.0/operations/op');
});

describe('a server that hangs', () => {
	const within = async <Result>(work: Promise<Result>) => {
		const begin = performance.now();
		const result = await work;
		expect(performance.now() - begin).toBeLessThan(1500);
		return result;
	};

	test('is told for each instance within about a second, also when it was never heard', async () => {
		const {driver, web} = await stage(() => 'hang');
		const all = await within(Promise.all(Array.from({length: 50}, () => web.observe(driver))));
		for (const {power, reason} of all) {
			expect(power).toBe('unresponsive');
			expect(reason).toMatch(/no answer|does not answer/);
		}
	});

	test('is told when it has stopped answering; what it answers about other projects is seen all the same', async () => {
		const hangs: Handler = ({path: asked, query}) =>
			asked === '/1.0/instances' && query.get('project') === 'bad' ? 'hang' : undefined;
		const {driver, web, fake, state} = await stage();
		fake.say(hangs);
		state.code = 103;
		expect(await web.power(driver)).toBe('running');
		const bad = {...web.record, lxd: {type: 'container', project: 'bad'} as const};
		const [hung, fine] = await within(Promise.all([driver.observe(bad, web.place), web.observe(driver)]));
		expect(hung).toMatchObject({power: 'unresponsive', reason: expect.stringMatching(/no answer/)});
		expect(fine.power).toBe('running');
	});

	test('is told with what restarts it, and what is asked of it ends', async () => {
		const {driver, web} = await stage(() => 'hang');
		expect(await driver.health()).toMatchObject({
			installed: true,
			usable: false,
			summary: expect.stringMatching(/^LXD does not answer on /),
			remedy: expect.stringMatching(/systemctl restart lxd/),
		});
		expect(await failureOf(web.start(driver))).toMatchObject({
			code: 'driver.unusable',
			message: expect.stringMatching(/does not answer/),
			next: expect.stringMatching(/restarts it/),
		});
	});

	test('is well again as soon as it answers', async () => {
		const {driver, web, fake} = await stage(() => 'hang');
		expect(await web.power(driver)).toBe('unresponsive');
		fake.say(({path: asked}) => (asked === '/1.0' ? facts() : undefined));
		fake.say(({path: asked}) => (asked === '/1.0/warnings' ? done([]) : undefined));
		await eventually('it is seen', async () => (await web.power(driver)) === 'off');
	});
});

describe('why a server cannot be used, and what to do', () => {
	test('what answers is something else', async () => {
		for (const text of ['<html>hello</html>', '\u001B[2Jgarbage', '{"type":"sync"']) {
			const {driver, web} = await stage(({path: asked}) => (asked === '/1.0' ? {text} : undefined));
			const {summary, usable} = await driver.health();
			expect(usable).toBe(false);
			expect(summary).toMatch(/^what answers on \S+ is not LXD or Incus \(status 200, and no JSON\)$/);
			expect(await web.observe(driver)).toMatchObject({
				power: 'unresponsive',
				reason: expect.stringMatching(/not LXD/),
			});
		}
	});

	test('a daemon that is down', async () => {
		const socket = socketPath();
		const first = createServer();
		await new Promise<void>(resolve => first.listen(`${socket}.first`, resolve));
		// Closing removes the name it was given, and leaves this one, on which nobody listens.
		linkSync(`${socket}.first`, socket);
		await new Promise(resolve => first.close(resolve));
		expect(await driverFor(socket).health()).toMatchObject({
			installed: true,
			usable: false,
			summary: `LXD is installed, but its daemon is down (nobody listens on ${socket})`,
			remedy: 'sudo systemctl start lxd',
		});
		const incus = createLxdDriver({
			paths: scratchPaths(),
			setting: () => '',
			environment: {INCUS_SOCKET: socket, PATH: ''},
		});
		expect(await incus.health()).toMatchObject({
			summary: expect.stringMatching(/^Incus is installed/),
			remedy: 'sudo systemctl start incus',
		});
	});

	test('installed, and no socket; or not installed', async () => {
		const socket = socketPath();
		const bin = path.join(path.dirname(socket), 'bin');
		mkdirSync(bin);
		for (const [program, title] of [
			['incusd', 'Incus'],
			['lxd', 'LXD'],
		] as const) {
			writeFileSync(path.join(bin, program), '', {mode: 0o755});
			expect(await driverFor(socket, bin).health()).toMatchObject({
				installed: true,
				usable: false,
				summary: `${title} is installed but not running: there is no socket at ${socket}`,
				remedy: expect.stringMatching(/^sudo systemctl start/),
			});
		}
	});

	test('nothing is installed', async context => {
		const driver = driverFor(socketPath());
		const health = await driver.health();
		if (health.installed) return context.skip('this host has LXD or Incus where it is always looked for');
		expect(health).toMatchObject({
			usable: false,
			summary: 'LXD is not installed, nor is Incus',
			remedy: expect.stringMatching(/^Install one of them/),
		});
		const {web} = await stage();
		expect(await failureOf(web.start(driver))).toMatchObject({
			code: 'driver.not-installed',
			message: 'LXD cannot be used: LXD is not installed, nor is Incus.',
			next: health.remedy,
		});
		expect(await web.observe(driver)).toMatchObject({power: 'unresponsive'});
	});

	test('no right to the socket', async context => {
		const socket = socketPath();
		const fake = await FakeServer.listen({socket});
		onTestFinished(() => fake.close());
		const directory = path.dirname(socket);
		chmodSync(directory, 0);
		const isRoot = process.getuid?.() === 0;
		if (isRoot && process.seteuid === undefined) return context.skip('root may do everything');
		const driver = driverFor(socket);
		if (isRoot) process.seteuid!(65534);
		try {
			expect(await driver.health()).toMatchObject({
				installed: true,
				usable: false,
				summary: `you have no right to use LXD: its socket ${socket} is for the group lxd`,
				remedy: expect.stringMatching(/^sudo usermod -aG lxd \$USER/),
			});
		} finally {
			if (isRoot) process.seteuid!(0);
			chmodSync(directory, 0o700);
		}
		expect(fake.requests).toEqual([]);
	});

	test('a server that does not trust this user', async () => {
		const {driver} = await stage(({path: asked}) => (asked === '/1.0' ? facts({auth: 'untrusted'}) : undefined));
		expect(await driver.health()).toMatchObject({usable: false, summary: expect.stringMatching(/no right to use LXD/)});
	});

	test('a server that answers with an error', async () => {
		const {driver} = await stage(({path: asked}) => (asked === '/1.0' ? refused(500, 'database is gone') : undefined));
		const {usable, summary} = await driver.health();
		expect(usable).toBe(false);
		expect(summary).toMatch(/database is gone/);
	});

	test('one that is well, after all', async () => {
		const {driver, fake} = await stage(({path: asked}) => (asked === '/1.0' ? refused(500, 'starting') : undefined));
		expect((await driver.health()).usable).toBe(false);
		fake.say(({path: asked}) => (asked === '/1.0' ? facts({server: 'incus', driver: 'qemu | lxc'}) : undefined));
		expect(await driver.health({again: true})).toMatchObject({usable: true, version: '5.0.2'});
	});
});
