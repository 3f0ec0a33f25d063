import {describe, expect, test} from 'vitest';
import {commandTable} from '../../source/commands/table.ts';
import type {Adoptable} from '../../source/drivers/driver.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {FindRequest, ImageInfo} from '../../source/model/image-info.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

describe('help', () => {
	const offline = {connections: 0, err: ''};

	test('general: on demand 0, for want of a command 2', async () => {
		const {out} = await drover(['help']);
		expect(out).toMatch(/^Usage: drover \[options\] \[<command>\]\n/);
		for (const argv of [['help'], ['-h'], ['--help'], ['-v', '--help']]) {
			expect(await drover(argv)).toMatchObject({...offline, code: 0, out});
		}
		expect(await drover([])).toMatchObject({...offline, code: 2, out});
		expect(await drover(['-vv'])).toMatchObject({...offline, code: 2, out});
	});

	test('of each command, by both ways, within 80 columns, with all of its options', async () => {
		const general = (await drover(['help'])).out;
		expect(Math.max(...general.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
		for (const command of commandTable) {
			const {code, out, connections} = await drover(['help', command.name]);
			expect([code, connections]).toEqual([0, 0]);
			expect(out).toBe((await drover([command.name, '--help'])).out);
			expect(out).toBe((await drover([command.name, 'x', '-h'])).out);
			expect(out.startsWith(`Usage: drover ${command.name} ${command.usage}\n`), command.name).toBe(true);
			for (const {long, hidden} of command.options ?? []) {
				expect(new RegExp(`^ +(-., )?--${long}( |$)`, 'm').test(out), long).toBe(!hidden);
			}
			const lines = out.split('\n');
			expect(Math.max(...lines.map(line => line.length)), command.name).toBeLessThanOrEqual(80);
			expect(lines.filter(line => line !== line.trimEnd())).toEqual([]);
			expect(general).toContain(`\n  ${command.name} `);
		}
	});

	test('what it looks like', async () => {
		expect((await drover(['help', 'stop'])).out).toBe(`Usage: drover stop [options] [<name> ...]
Stop instances: the guest is asked to power off, and waited for.

Options:
  -h, --help         Display this help
  -v, --verbose      Tell the technical cause of a failure, too
  --all              Stop all instances
  -t, --time <time>  Stop in so many minutes; users in the guest are warned
  -c, --cancel       Cancel a pending delayed stop
  --force            Cut the power at once. Warning: what the instance has not
                     written to its disk is lost, and so is the saved memory of
                     a suspended one.

Arguments:
  name               Names of instances to stop. Without any, and without --all,
                     it is the primary instance.
`);
	});

	test('of what there is not', async () => {
		expect(await drover(['help', 'fly'])).toMatchObject({code: 1, connections: 0, out: ''});
		expect((await drover(['help', 'zones'])).err).toMatch(
			/^help failed: availability zones are not in this version of drover\./,
		);
		expect(await drover(['help', 'a', 'b'])).toMatchObject({code: 1, connections: 0});
	});

	test('keys', async () => {
		const {out, code} = await drover(['help', 'keys']);
		expect(code).toBe(0);
		expect(out).toMatch(/^everywhere:\n/);
		expect(out).toMatch(/^ {2}ctrl-c +quit$/m);
		expect(Math.max(...out.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
		const {keys} = JSON.parse((await drover(['help', 'keys', '--json'])).out);
		expect(keys).toContainEqual(expect.objectContaining({id: 'session.quit', keys: ['ctrl-c']}));
		expect(await drover(['help', 'list', '--json'])).toMatchObject({code: 1});
	});
});

describe('what is no command', () => {
	test('unknown', async () => {
		expect(await drover(['fly', '--high'])).toMatchObject({
			code: 1,
			out: 'Error: Unknown command or alias \'fly\' (try "drover help").\n',
			err: '',
			connections: 0,
		});
		expect((await drover(['\u001B[2Jx'])).out).toContain("'x'");
		for (const name of ['', 'toString', '__proto__', 'constructor']) expect((await drover([name])).code).toBe(1);
	});

	test.each(['authenticate', 'auth', 'wait-ready', 'zones'])('%s is known and not there', async name => {
		const {code, out, err, connections} = await drover([name, '--any', 'thing']);
		expect({code, out, connections}).toEqual({code: 2, out: '', connections: 0});
		expect(err).toMatch(new RegExp(`^${name} failed: [a-z ]+ not in this version of drover\\.\n$`));
	});

	test('an unknown option', async () => {
		expect(await drover(['--nonsense', 'list'])).toMatchObject({
			code: 1,
			err: 'drover failed: Unknown option \'nonsense\'.\nTry "drover help".\n',
			connections: 0,
		});
	});
});

describe('version', () => {
	const version = '0.0.0-source';

	test('with a daemon', async () => {
		expect((await drover(['version'])).out).toBe(`drover   ${version}\ndroverd  0.1.0\n`);
		expect((await drover(['version', '--format', 'json'])).out).toBe(
			`{\n    "drover": "${version}",\n    "droverd": "0.1.0"\n}\n`,
		);
		expect((await drover(['version', '--format', 'yaml'])).out).toBe(`drover: "${version}"\ndroverd: "0.1.0"\n`);
		expect((await drover(['version', '--format', 'csv'])).out).toBe(
			`Drover,Droverd,Title,Description,URL\n${version},0.1.0,,,\n`,
		);
	});

	test('without one: it is not started', async () => {
		for (const argv of [['version'], ['--version'], ['-V']]) {
			expect(await drover(argv, {isDaemonAway: true})).toMatchObject({code: 0, out: `drover   ${version}\n`, err: ''});
		}
		expect(JSON.parse((await drover(['version', '--format', 'json'], {isDaemonAway: true})).out)).toEqual({
			drover: version,
		});
		expect(await drover(['version', 'x'])).toMatchObject({code: 1, connections: 0});
	});
});

describe('get and set', () => {
	const withWeb = () =>
		new FakeEngine({
			instances: [fakeInstance('web', 'Stopped', {cpus: 2, memory: 1.5 * gibibyte, disk: 5 * gibibyte})],
		});

	test.each([
		['local.driver', 'qemu\n'],
		['client.primary-name', 'primary\n'],
		['local.web.cpus', '2\n'],
		['local.web.memory', '1.5GiB\n'],
		['local.web.disk', '5.0GiB\n'],
		['local.web.bridged', 'false\n'],
	])('get %s', async (key, text) => {
		expect(await drover(['get', key], {engine: withWeb()})).toMatchObject({code: 0, out: text, err: ''});
	});

	test('an empty value', async () => {
		const engine = withWeb();
		expect(await drover(['set', 'client.primary-name='], {engine})).toMatchObject({code: 0, out: '', err: ''});
		expect((await drover(['get', 'client.primary-name'], {engine})).out).toBe('<empty>\n');
		expect((await drover(['get', 'client.primary-name', '--raw'], {engine})).out).toBe('\n');
	});

	test('keys', async () => {
		const engine = withWeb();
		expect((await drover(['get', '--keys'], {engine})).out).toBe(
			'client.primary-name\nlocal.bridged-network\nlocal.default-image\nlocal.driver\nlocal.privileged-mounts\nlocal.web.bridged\nlocal.web.cpus\nlocal.web.disk\nlocal.web.memory\nlocal.web.restore\n',
		);
		expect((await drover(['get', '--keys', 'local.driver'], {engine})).out).toBe('local.driver\n');
		expect((await drover(['get', '--keys', 'local.web.cpus'], {engine})).out).toBe('local.web.cpus\n');
		expect((await drover(['get', '--keys', 'local.nothing'], {engine})).code).toBe(2);
	});

	test('set', async () => {
		const engine = withWeb();
		expect(await drover(['set', 'client.primary-name=web'], {engine})).toMatchObject({code: 0, out: '', err: ''});
		expect((await engine.get({key: 'client.primary-name'})).value).toBe('web');
	});

	test('set asks for the value on a terminal only', async () => {
		const engine = withWeb();
		const asked = await drover(['set', 'client.primary-name'], {engine, isTTY: true, stdin: 'web\n'});
		expect(asked).toMatchObject({code: 0, out: 'New value for client.primary-name: '});
		expect((await engine.get({key: 'client.primary-name'})).value).toBe('web');
		expect(await drover(['set', 'client.primary-name'], {engine, stdin: 'db\n'})).toMatchObject({
			code: 1,
			connections: 0,
		});
		expect((await engine.get({key: 'client.primary-name'})).value).toBe('web');
	});

	test.each<[string[], string]>([
		[['get'], 'get failed: Need exactly one setting key.'],
		[['get', 'a', 'b'], 'get failed: Need exactly one setting key.'],
		[['set'], 'set failed: Need exactly one key-value pair (in <key>=<value> form).'],
		[['set', 'a=b', 'c=d'], 'set failed: Need exactly one key-value pair (in <key>=<value> form).'],
		[['set', 'a=b=c'], 'set failed: Bad key-value format "a=b=c".'],
		[['set', '=b'], 'set failed: Bad key-value format "=b".'],
	])('%j', async (argv, message) => {
		const {code, err, connections} = await drover(argv);
		expect(err.split('\n')[0]).toBe(message);
		expect([code, connections]).toEqual([1, 0]);
	});

	test("unknown keys: the client's are the command line's mistake, the daemon's are refused", async () => {
		expect(await drover(['get', 'client.nothing'])).toMatchObject({
			code: 1,
			err: "get failed: Unrecognized settings key: 'client.nothing'\n",
		});
		expect((await drover(['get', 'local.nothing'])).code).toBe(2);
		expect((await drover(['set', 'nothing=1'])).code).toBe(1);
		expect((await drover(['set', 'local.nothing=1'])).code).toBe(2);
		expect((await drover(['get', 'local.nobody.cpus'])).code).toBe(2);
	});

	const asked = (engine: FakeEngine) =>
		engine.calls.flatMap(({method, request}) => (/^(?:resize|addNetwork)$/.test(method) ? [[method, request]] : []));

	test.each<[string, object]>([
		['local.web.cpus=4', {cpus: 4}],
		['local.web.memory=1.5g', {memory: 1.5 * gibibyte}],
		['local.web.disk=10GiB', {disk: 10 * gibibyte}],
	])('set %s is asked of the engine, and waited for', async (pair, request) => {
		const engine = withWeb();
		expect(await drover(['set', pair], {engine})).toMatchObject({code: 0, out: '', err: ''});
		expect(asked(engine)).toEqual([['resize', {name: 'web', ...request, by: 'kim'}]]);
		engine.failures.set('web', new DroverError('driver.failed', 'no room.'));
		expect(await drover(['set', pair], {engine})).toMatchObject({code: 2, err: 'set failed: no room.\n'});
	});

	test.each([
		['local.web.cpus=two', "set failed: Invalid setting 'local.web.cpus=two': need a positive whole number.\n"],
		['local.web.cpus=1.5', "set failed: Invalid setting 'local.web.cpus=1.5': need a positive whole number.\n"],
		['local.web.memory=1T', "set failed: Invalid setting 'local.web.memory=1T': not a valid memory size.\n"],
		['local.web.disk=', "set failed: Invalid setting 'local.web.disk=': not a valid disk size.\n"],
		['local.web.bridged=maybe', "set failed: Invalid setting 'local.web.bridged=maybe': it is either true or false.\n"],
	])('set %s is refused', async (pair, message) => {
		const engine = withWeb();
		const {code, err} = await drover(['set', pair], {engine});
		expect(err.startsWith(message)).toBe(true);
		expect([code, asked(engine)]).toEqual([2, []]);
	});

	test('bridged adds an interface, once, and cannot be taken back', async () => {
		const engine = withWeb();
		await engine.set({key: 'local.bridged-network', value: 'br0', by: 'kim'});
		expect(await drover(['set', 'local.web.bridged=off'], {engine})).toMatchObject({code: 0, err: ''});
		expect(asked(engine)).toEqual([]);
		expect(await drover(['set', 'local.web.bridged=ON'], {engine})).toMatchObject({code: 0, out: '', err: ''});
		expect(asked(engine)).toEqual([['addNetwork', {name: 'web', network: 'bridged', by: 'kim'}]]);

		const bridged = Object.assign(engine, {
			info: async () => [{nics: [{network: 'br0', mac: '52:54:00:00:00:01', mode: 'auto'}]}],
		} as never) as FakeEngine;
		expect(await drover(['get', 'local.web.bridged'], {engine: bridged})).toMatchObject({out: 'true\n'});
		expect(await drover(['set', 'local.web.bridged=true'], {engine: bridged})).toMatchObject({code: 0});
		expect(asked(bridged)).toHaveLength(1);
		expect(await drover(['set', 'local.web.bridged=false'], {engine: bridged})).toMatchObject({
			code: 2,
			err: 'set failed: Cannot update instance settings; instance: web; reason: a bridged interface cannot be taken away again\n',
		});
	});
});

describe('networks', () => {
	const engine = () =>
		Object.assign(new FakeEngine({driver: fakeDriver('lxd')}), {
			hostNetworks: [
				{name: 'lxdbr0', type: 'bridge', description: 'LXD\u001B[2J, its own "net"'},
				{name: 'eth0', type: 'ethernet', description: 'Ethernet device'},
			],
		});
	const text = async (...argv: string[]) => (await drover(['networks', ...argv], {engine: engine()})).out;

	test('in every format', async () => {
		expect(await text()).toBe(
			'Name     Type       Description\neth0     ethernet   Ethernet device\nlxdbr0   bridge     LXD, its own "net"\n',
		);
		expect(await text('--format', 'csv')).toBe(
			'Name,Type,Description\neth0,ethernet,"Ethernet device"\nlxdbr0,bridge,"LXD, its own ""net"""\n',
		);
		expect(JSON.parse(await text('--format', 'json'))).toEqual({
			list: [
				{name: 'eth0', type: 'ethernet', description: 'Ethernet device'},
				{name: 'lxdbr0', type: 'bridge', description: 'LXD, its own "net"'},
			],
		});
		expect(await text('--format', 'yaml')).toMatch(/^eth0:\n {2}- type: ethernet\n {4}description: Ethernet device\n/);
	});

	test('none, and mistakes', async () => {
		expect((await drover(['networks'])).out).toBe('No network interfaces found.\n');
		expect(await drover(['networks', 'eth0'])).toMatchObject({code: 1, connections: 0});
		expect(await drover(['networks', '--format', 'text'])).toMatchObject({code: 1, connections: 0});
	});
});

describe('find', () => {
	const images: readonly ImageInfo[] = [
		{
			name: 'micro',
			remote: '',
			aliases: ['default'],
			os: 'drover',
			release: 'Micro 1',
			version: '1',
			description: 'Micro 1',
			cached: true,
		},
		{
			name: '24.04',
			remote: 'release',
			aliases: ['noble', 'lts'],
			os: 'Ubuntu',
			release: '24.04 LTS',
			version: '20260101',
			description: 'Ubuntu 24.04 LTS',
			cached: false,
		},
		{
			name: '26.10',
			remote: 'daily',
			aliases: [],
			os: 'Ubuntu',
			release: '26.10',
			version: '20260101',
			description: 'Ubuntu\u001B[2J 26.10',
			cached: false,
		},
	];
	const finding = () => {
		const queries: FindRequest[] = [];
		const find: Engine['find'] = async request => {
			queries.push(request);
			return {images, notes: []};
		};
		return {queries, engine: Object.assign(new FakeEngine(), {find}) as Engine};
	};

	test('table', async () => {
		expect((await drover(['find'], finding())).out).toBe(
			[
				'Image                       Aliases           Version          Description',
				'micro                       default           1                Micro 1',
				'24.04                       noble,lts         20260101         Ubuntu 24.04 LTS',
				'daily:26.10                                   20260101         Ubuntu 26.10',
				'',
			].join('\n'),
		);
	});

	test('csv, json, yaml', async () => {
		const {engine} = finding();
		expect((await drover(['find', '--format', 'csv'], {engine})).out).toBe(
			[
				'Image,Remote,Aliases,OS,Release,Version,Type',
				'micro,,default,drover,Micro 1,1,Cloud Image',
				'24.04,release,noble;lts,Ubuntu,24.04 LTS,20260101,Cloud Image',
				'daily:26.10,daily,,Ubuntu,26.10,20260101,Cloud Image',
				'',
			].join('\n'),
		);
		expect(JSON.parse((await drover(['find', '--format', 'json'], {engine})).out)).toEqual({
			errors: [],
			images: {
				micro: {os: 'drover', release: 'Micro 1', version: '1', aliases: ['default'], remote: ''},
				'24.04': {
					os: 'Ubuntu',
					release: '24.04 LTS',
					version: '20260101',
					aliases: ['noble', 'lts'],
					remote: 'release',
				},
				'daily:26.10': {os: 'Ubuntu', release: '26.10', version: '20260101', aliases: [], remote: 'daily'},
			},
		});
		expect((await drover(['find', '--format', 'yaml'], {engine})).out).toContain('  "24.04":\n    os: Ubuntu\n');
	});

	test('arguments', async () => {
		const {engine, queries} = finding();
		expect(
			(await drover(['find', 'daily:26', '--only-images', '--show-unsupported', '--force-update'], {engine})).code,
		).toBe(0);
		expect(queries).toEqual([{query: 'daily:26', showUnsupported: true, forceUpdate: true}]);
		for (const argv of [
			['a', 'b'],
			['a:b:c'],
			['--only-images', '--only-blueprints'],
			['--force-update', '--only-blueprints'],
		]) {
			expect(await drover(['find', ...argv])).toMatchObject({code: 1, connections: 0});
		}
		expect(await drover(['find', '--only-blueprints'])).toMatchObject({
			code: 2,
			err: 'find failed: drover has no blueprints.\n',
		});
	});
});

describe('drivers and doctor', () => {
	const away = fakeDriver('hyperv', {
		supported: false,
		unsupportedReason: 'Hyper-V is not supported on Linux, only on Windows',
		current: false,
		health: {installed: false, usable: false, summary: 'not looked for', checkedAt: 0},
	});
	const lxd = fakeDriver('lxd', {
		current: false,
		instances: 3,
		health: {
			installed: true,
			usable: false,
			version: '5.0',
			summary: `The socket belongs to ${'root '.repeat(20)}`,
			remedy: 'sudo adduser kim lxd',
			checkedAt: 0,
		},
	});
	class Drivers extends FakeEngine {
		override async drivers() {
			return [this.driver, lxd, away] as never;
		}
		override async doctor() {
			return {
				drivers: await this.drivers(),
				checks: [
					{title: 'OpenSSH client', verdict: 'ok' as const, text: 'found'},
					{title: 'Disk', verdict: 'problem' as const, text: 'full', remedy: 'Make room.'},
				],
				tookMs: 12,
			} as never;
		}
	}

	test('drivers as a table', async () => {
		const {out, code} = await drover(['drivers'], {engine: new Drivers()});
		expect(code).toBe(0);
		expect(out.split('\n').slice(0, 9).join('\n')).toBe(`Driver  Here  Current  Installed  Usable  Instances  Verified
qemu    yes   yes      yes        yes     0          real hosts
lxd     yes   no       yes        no      3          --
hyperv  no    no       no         no      0          --

Can     suspend  snapshots  native mounts  extra networks
qemu    yes      yes        yes            no
lxd     no       no         yes            yes
hyperv  no       yes        yes            yes`);
		expect(out).toContain('sudo adduser kim lxd');
		expect(out).toContain('Hyper-V is not supported on Linux, only on Windows');
		expect(out).toMatch(/no extra networks: not supported by QEMU on Linux/);
		expect(Math.max(...out.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
	});

	test('drivers as data', async () => {
		const {out} = await drover(['drivers', '--format', 'json'], {engine: new Drivers()});
		const {drivers} = JSON.parse(out);
		expect(drivers[0]).toMatchObject({
			name: 'qemu',
			supported: true,
			current: true,
			installed: true,
			usable: true,
			instances: 0,
			reason: 'QEMU 7.2.22, software emulation',
			capabilities: {suspend: {can: 'yes'}, extraNetworks: {can: 'no', drivers: ['lxd']}},
		});
		expect(Object.keys(drivers[0].capabilities)).toEqual(['suspend', 'snapshots', 'nativeMounts', 'extraNetworks']);
		expect(drivers[1]).toMatchObject({usable: false, remedy: 'sudo adduser kim lxd', instances: 3});
		expect(drivers[2]).toMatchObject({
			supported: false,
			usable: false,
			reason: 'Hyper-V is not supported on Linux, only on Windows',
		});
		expect((await drover(['drivers', '--format', 'yaml'], {engine: new Drivers()})).out).toMatch(
			/^drivers:\n {2}- name: qemu\n/,
		);
		expect(await drover(['drivers', '--format', 'csv'])).toMatchObject({code: 1, connections: 0});
	});

	test('doctor', async () => {
		expect(await drover(['doctor'])).toMatchObject({
			code: 0,
			out: '[ok]       OpenSSH client: found\n\nReady to run instances with qemu (12 ms).\n',
		});
		expect(await drover(['doctor'], {engine: new Drivers()})).toMatchObject({
			code: 2,
			out: '[ok]       OpenSSH client: found\n[PROBLEM]  Disk: full\n           Make room.\n\n1 problem found (12 ms).\n',
		});
		const {out} = await drover(['doctor', '--format', 'json'], {engine: new Drivers()});
		expect(JSON.parse(out)).toMatchObject({
			checks: [
				{title: 'OpenSSH client', verdict: 'ok', text: 'found'},
				{verdict: 'problem', remedy: 'Make room.'},
			],
			drivers: [{name: 'qemu'}, {name: 'lxd'}, {name: 'hyperv'}],
			took_ms: 12,
		});
	});
});

describe('adopt', () => {
	const foreign: readonly Adoptable[] = [
		{name: 'noble', from: 'multipass', state: 'Stopped'},
		{name: 'db', from: 'multipass', state: 'Running', problem: 'it is drover’s\u001B[2J already.'},
		{name: 'amber', from: 'multipass', state: 'Running'},
		{name: 'other', from: 'lima', state: 'Running'},
		{name: 'b\u001B[2Jad', from: 'multipass', state: 'Running'},
	];
	const engineWith = () => Object.assign(new FakeEngine({driver: fakeDriver('lxd')}), {foreign});
	const adopted = (engine: FakeEngine) =>
		engine.calls.flatMap(({method, request}) => (method === 'adopt' ? [request] : []));

	test('a broken one by its name', async () => {
		const engine = engineWith();
		expect(await drover(['adopt', 'web'], {engine})).toMatchObject({code: 0, out: 'Adopted: web (Stopped)\n'});
		expect(adopted(engine)).toEqual([{name: 'web', by: 'kim'}]);
	});

	test('lists what other software has', async () => {
		const engine = engineWith();
		expect(await drover(['adopt', '--from', 'Multipass'], {engine})).toMatchObject({
			code: 0,
			err: '',
			out: [
				'Name   State',
				'amber  Running  can be taken over',
				'db     Running  it is drover’s already',
				'noble  Stopped  can be taken over',
				'',
			].join('\n'),
		});
		const {out} = await drover(['adopt', '--from', 'lima', '--format', 'json'], {engine});
		expect(JSON.parse(out)).toEqual({adoptables: [{name: 'other', from: 'lima', state: 'Running'}]});
		expect((await drover(['adopt', '--from', 'none'], {engine})).out).toBe(
			'The driver lxd sees no instances of none.\n',
		);
		expect(adopted(engine)).toEqual([]);
	});

	test('takes over those that are named, or all that can be', async () => {
		const engine = engineWith();
		expect(await drover(['adopt', '--from', 'multipass', 'noble', 'db'], {engine})).toMatchObject({
			code: 0,
			out: 'Adopted: noble (Stopped)\nAdopted: db (Stopped)\n',
		});
		expect(adopted(engine)).toEqual(['noble', 'db'].map(name => ({name, from: 'multipass', by: 'kim'})));
		const second = engineWith();
		expect(await drover(['adopt', '--from', 'multipass', '--all'], {engine: second})).toMatchObject({
			code: 0,
			out: 'Adopted: amber (Stopped)\nAdopted: noble (Stopped)\n',
			err: 'db is left where it is: it is drover’s already.\n',
		});
	});

	test('one that is refused does not keep the others from it', async () => {
		const engine = engineWith();
		const {adopt} = engine;
		engine.adopt = async request => {
			if (request.name === 'noble') throw new DroverError('instance.exists', 'instance "noble" already exists');
			return adopt.call(engine, request);
		};
		expect(await drover(['adopt', '--from', 'multipass', 'noble', 'db'], {engine})).toMatchObject({
			code: 2,
			out: 'Adopted: db (Stopped)\n',
			err: 'adopt failed: instance "noble" already exists\n',
		});
	});

	test.each([
		[['adopt']],
		[['adopt', 'a', 'b']],
		[['adopt', '--all']],
		[['adopt', 'web', '--format', 'json']],
		[['adopt', '--from', '']],
		[['adopt', '--from', 'multipass', 'web', '--all']],
		[['adopt', '--from', 'multipass', 'web', '--format', 'json']],
		[['adopt', '--from', 'multipass', '--format', 'csv']],
	])('%j is a mistake', async argv => {
		expect(await drover(argv)).toMatchObject({code: 1, connections: 0});
	});
});
