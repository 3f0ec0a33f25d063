import {expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {InstanceDetail} from '../../source/model/instance.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const noble = {query: 'noble', release: '24.04 LTS', os: 'ubuntu', hash: `sha256:${'0123456789ab'.repeat(5)}cdef`};

const details: readonly InstanceDetail[] = [
	{
		...fakeInstance('amber-otter', 'Running', {
			image: noble,
			cpus: 2,
			ipv4: ['10.97.0.7', '172.17.0.1'],
			snapshotCount: 2,
		}),
		directory: '/data/scopes/qemu/amber-otter',
		mac: '52:54:00:12:34:56',
		guest: {
			release: 'Ubuntu 24.04.1 LTS',
			load: [0.1, 0.25, 1],
			disks: {vda1: {used: 1_932_735_284, total: 6_764_573_492}},
			memory: {used: 38_797_312, total: 1_610_612_736},
			cpus: 2,
		},
	},
	{
		...fakeInstance('build', 'Stopped', {image: noble, snapshotCount: 0}),
		directory: '/data/scopes/qemu/build',
		mac: '52:54:00:12:34:57',
	},
];

const hash = noble.hash.slice('sha256:'.length);

class InfoEngine extends FakeEngine {
	found: readonly InstanceDetail[];
	asked: unknown;
	constructor(found: readonly InstanceDetail[], driver: 'qemu' | 'lxd' = 'qemu') {
		super({driver: fakeDriver(driver)});
		this.found = found;
	}
	override async info(request: Parameters<Engine['info']>[0]) {
		this.asked = request;
		return this.found;
	}
}

test('table', async () => {
	const {code, out} = await drover(['info'], {engine: new InfoEngine(details)});
	expect(out).toBe(`Name:           amber-otter
State:          Running
Snapshots:      2
IPv4:           10.97.0.7
                172.17.0.1
Release:        Ubuntu 24.04.1 LTS
Image hash:     0123456789ab (Ubuntu 24.04 LTS)
CPU(s):         2
Load:           0.10 0.25 1.00
Disk usage:     1.8GiB out of 6.3GiB
Memory usage:   37.0MiB out of 1.5GiB
Mounts:         --
SSH:            ubuntu@127.0.0.1 port 40000

Name:           build
State:          Stopped
Snapshots:      0
IPv4:           --
Release:        --
Image hash:     0123456789ab (Ubuntu 24.04 LTS)
CPU(s):         --
Load:           --
Disk usage:     --
Memory usage:   --
Mounts:         --
`);
	expect(code).toBe(0);
});

test('json has keys and types of Multipass', async () => {
	const {out} = await drover(['info', '--format', 'json'], {engine: new InfoEngine(details)});
	expect(JSON.parse(out)).toEqual({
		errors: [],
		info: {
			'amber-otter': {
				state: 'Running',
				image_hash: hash,
				image_release: '24.04 LTS',
				release: 'Ubuntu 24.04.1 LTS',
				cpu_count: '2',
				snapshot_count: '2',
				load: [0.1, 0.25, 1],
				disks: {vda1: {used: '1932735284', total: '6764573492'}},
				memory: {used: 38_797_312, total: 1_610_612_736},
				ipv4: ['10.97.0.7', '172.17.0.1'],
				mounts: {},
				ssh: {host: '127.0.0.1', port: 40000, user: 'ubuntu'},
			},
			build: {
				state: 'Stopped',
				image_hash: hash,
				image_release: '24.04 LTS',
				release: '',
				cpu_count: '',
				snapshot_count: '0',
				load: [],
				disks: {sda1: {}},
				memory: {},
				ipv4: [],
				mounts: {},
			},
		},
	});
	const keys = Object.keys(JSON.parse(out).info.build);
	expect(keys.slice(0, 6)).toEqual(['state', 'image_hash', 'image_release', 'release', 'cpu_count', 'snapshot_count']);
});

test('mounts, in every format', async () => {
	const map = (host: number, guest = -1) => ({host, guest});
	const mounted: InstanceDetail = {
		...details[0]!,
		mounts: [
			{source: '/home/kim/src', target: '/home/ubuntu/src', type: 'native', uidMap: [map(1000)], gidMap: [map(1000)]},
			{
				source: '/srv/da\u001B[31mta',
				target: '/data',
				type: 'native',
				uidMap: [map(0, 0), map(1000, 33)],
				gidMap: [map(0, 5)],
			},
		],
	};
	const engine = new InfoEngine([mounted]);
	expect((await drover(['info'], {engine})).out).toContain(`Mounts:         /home/kim/src => /home/ubuntu/src
                    UID map: 1000:default
                    GID map: 1000:default
                /srv/data => /data
                    UID map: 0:0, 1000:33
                    GID map: 0:5
`);
	const {info} = JSON.parse((await drover(['info', '--format', 'json'], {engine})).out);
	expect(info['amber-otter'].mounts).toEqual({
		'/home/ubuntu/src': {
			uid_mappings: ['1000:default'],
			gid_mappings: ['1000:default'],
			source_path: '/home/kim/src',
		},
		'/data': {uid_mappings: ['0:0', '1000:33'], gid_mappings: ['0:5'], source_path: '/srv/data'},
	});
	expect((await drover(['info', '--format', 'csv'], {engine})).out).toContain(
		',/home/kim/src => /home/ubuntu/src;/srv/data => /data,',
	);
	expect((await drover(['info', '--format', 'yaml'], {engine})).out).toContain(`    mounts:
      /home/ubuntu/src:
        uid_mappings:
          - "1000:default"
        gid_mappings:
          - "1000:default"
        source_path: /home/kim/src
`);
});

test('what Multipass has no word for: where it is, what it is, its further interfaces, and what is worth knowing', async () => {
	const detail: InstanceDetail = {
		...details[0]!,
		kind: 'container',
		member: 'node\u001B[2J2',
		nics: [{network: 'br0', mac: '52:54:00:00:00:01', mode: 'auto'}],
		notes: ['Its storage pool enforces no size.', `A long sentence ${'that goes on '.repeat(6)}.`],
	};
	const engine = new InfoEngine([detail], 'lxd');
	const {out} = await drover(['info'], {engine});
	expect(out).toContain('State:          Running\nType:           container\nMember:         node2\n');
	expect(out).toContain('Networks:       br0 (52:54:00:00:00:01, auto)\nSSH:');
	expect(out).toContain('Note:           Its storage pool enforces no size.\nNote:           A long sentence');
	expect(Math.max(...out.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
	const {info} = JSON.parse((await drover(['info', '--format', 'json'], {engine})).out);
	expect(info['amber-otter']).toMatchObject({
		type: 'container',
		member: 'node2',
		nics: [{network: 'br0', mac: '52:54:00:00:00:01', mode: 'auto'}],
		notes: ['Its storage pool enforces no size.', expect.stringMatching(/^A long/)],
	});
	expect((await drover(['info', '--format', 'yaml'], {engine})).out).toContain('    member: node2\n');
});

test('a driver without snapshots has no count of them', async () => {
	const engine = new InfoEngine(details, 'lxd');
	expect((await drover(['info', '--format', 'json'], {engine})).out).not.toContain('snapshot_count');
	expect((await drover(['info'], {engine})).out).not.toContain('Snapshots');
	expect((await drover(['info', '--format', 'csv'], {engine})).out.split('\n')[0]).toMatch(/CPU\(s\)$/);
	expect((await drover(['info', '--format', 'yaml'], {engine})).out).not.toContain('snapshot_count');
});

test('csv', async () => {
	const {out} = await drover(['info', '--format', 'csv'], {engine: new InfoEngine(details)});
	expect(out).toBe(
		[
			'Name,State,Ipv4,Ipv6,Release,Image hash,Image release,Load,Disk usage,Disk total,Memory usage,Memory total,Mounts,AllIPv4,CPU(s),Snapshots',
			`amber-otter,Running,10.97.0.7,,Ubuntu 24.04.1 LTS,${hash},24.04 LTS,0.10 0.25 1.00,1932735284,6764573492,38797312,1610612736,,10.97.0.7;172.17.0.1,2,2`,
			`build,Stopped,,,,${hash},24.04 LTS,,,,,,,,,0`,
			'',
		].join('\n'),
	);
});

test('yaml', async () => {
	const {out} = await drover(['info', '--format', 'yaml'], {engine: new InfoEngine(details)});
	expect(out).toBe(`errors:
  - ~
amber-otter:
  - state: Running
    snapshot_count: 2
    image_hash: "${hash}"
    image_release: 24.04 LTS
    release: Ubuntu 24.04.1 LTS
    cpu_count: 2
    load:
      - 0.1
      - 0.25
      - 1
    disks:
      - vda1:
          used: 1932735284
          total: 6764573492
    memory:
      usage: 38797312
      total: 1610612736
    ipv4:
      - 10.97.0.7
      - 172.17.0.1
    mounts: ~
    ssh:
      host: 127.0.0.1
      port: 40000
      user: ubuntu
build:
  - state: Stopped
    snapshot_count: 0
    image_hash: "${hash}"
    image_release: 24.04 LTS
    release: ~
    cpu_count: ~
    disks:
      - sda1:
          used: ~
          total: ~
    memory:
      usage: ~
      total: ~
    ipv4: []
    mounts: ~
`);
});

test('what is wrong is told, made plain and wrapped', async () => {
	const broken: InstanceDetail = {
		...fakeInstance('old', 'Broken', {
			reason: `instance.json is damaged\u001B[31m: ${'a long explanation '.repeat(5)}`,
			image: {query: '', release: '', os: '', hash: ''},
		}),
		directory: '/data/scopes/qemu/old',
		mac: '',
	};
	const mute: InstanceDetail = {
		...details[0]!,
		guest: undefined as never,
		guestError: {code: 'guest.unanswered', message: 'The guest did not answer within 3 s.'},
	};
	const {out} = await drover(['info'], {engine: new InfoEngine([broken, mute])});
	expect(out).toContain('Reason:         instance.json is damaged: a long explanation');
	expect(out).not.toContain('\u001B');
	expect(Math.max(...out.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
	expect(out).toContain('Directory:      /data/scopes/qemu/old\n');
	const {info} = JSON.parse((await drover(['info', '--format', 'json'], {engine: new InfoEngine([broken])})).out);
	expect(info.old).toMatchObject({state: 'Broken', directory: '/data/scopes/qemu/old', disks: {sda1: {}}});
	expect(info.old.reason).toMatch(/^instance\.json is damaged: a long/);
	expect(out).toContain('Image hash:     --\n');
	expect(out).toContain('Guest:          The guest did not answer within 3 s.\n');
	expect(out).toContain('CPU(s):         2\n');
});

test('what is asked of the engine', async () => {
	const engine = new InfoEngine(details);
	await drover(['info', 'b', 'a', 'b', '--no-runtime-information'], {engine});
	expect(engine.asked).toEqual({names: ['b', 'a'], runtime: false});
	await drover(['info'], {engine});
	expect(engine.asked).toEqual({names: [], runtime: true});
});

test('refusals', async () => {
	expect(await drover(['info', 'nobody'])).toMatchObject({
		code: 2,
		err: 'info failed: instance "nobody" does not exist\n',
		out: '',
	});
	expect(await drover(['info', 'web.a.b'])).toMatchObject({code: 1, connections: 0});
	expect(await drover(['info', '--format', 'text'])).toMatchObject({code: 1, connections: 0});
	expect((await drover(['info'], {engine: new FakeEngine()})).out).toBe('No instances found.\n');
});

test('what to do next, and the cause on demand', async () => {
	class Failing extends FakeEngine {
		override async info(): Promise<never> {
			throw new DroverError('host.failed', 'The disk cannot be read.', {
				next: 'Look at it.',
				cause: new Error('EIO\u0007 bad'),
			});
		}
	}
	const engine = new Failing();
	expect((await drover(['info'], {engine})).err).toBe('info failed: The disk cannot be read.\nLook at it.\n');
	expect((await drover(['info', '-v'], {engine})).err).toMatch(/\nCause: EIO +bad\n$/);
	expect((await drover(['-v', 'info'], {engine})).err).toMatch(/\nCause: EIO +bad\n$/);
});

test('what a disk shares with linked clones', async () => {
	const linked = (of: InstanceDetail['linked']) => new InfoEngine([{...details[1]!, ...(of ? {linked: of} : {})}]);
	const table = async (of: InstanceDetail['linked']) => (await drover(['info', 'build'], {engine: linked(of)})).out;
	expect(await table({layers: 1, with: ['two']})).toContain(
		'Linked:         its disk lies over a layer shared with two\n',
	);
	expect(await table({layers: 2, with: []})).toMatch(
		/Linked: +its disk lies over 2 layers that no other instance shares/,
	);
	expect(await table(undefined)).not.toContain('Linked');
	const {out} = await drover(['info', 'build', '--format', 'json'], {
		engine: linked({layers: 2, with: ['a', 'b\u001B[2J']}),
	});
	expect(JSON.parse(out).info.build.linked).toEqual({layers: 2, with: ['a', expect.not.stringContaining('\u001B')]});
});

test('the private network: a row of its own, and never among the addresses', async () => {
	const [first] = details as [InstanceDetail];
	const privateNetwork = {mac: '52:54:00:00:00:08', address: '10.86.0.7', prefix: 22, name: 'amber-otter.drover'};
	const told = async (problem?: string, ...args: string[]) => {
		const detail = {
			...first,
			ipv4: [],
			privateNetwork: {...privateNetwork, ...(problem === undefined ? {} : {problem})},
		};
		return (await drover(['info', ...args], {engine: new InfoEngine([detail])})).out;
	};
	expect(await told()).toContain('IPv4:           --\nPrivate IPv4:   10.86.0.7 (amber-otter.drover)\n');
	expect(await told('its machine is not connected to it')).toContain(
		'Network:        its machine is not connected to it\n',
	);
	const entry = JSON.parse(await told('no', '--format', 'json')).info['amber-otter'];
	expect(entry).toMatchObject({
		ipv4: [],
		private_network: {
			ipv4: '10.86.0.7',
			prefix: 22,
			mac: '52:54:00:00:00:08',
			name: 'amber-otter.drover',
			problem: 'no',
		},
	});
	expect((await told(undefined, '--format', 'csv')).split('\n')[1]).not.toContain('10.86');
});
