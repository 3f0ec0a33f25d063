import {describe, expect, test} from 'vitest';
import {parseSettings} from '../../../source/drivers/virtualbox/files.ts';
import {parseRules, planRules, ruleCommands, ruleOf, ruleText} from '../../../source/drivers/virtualbox/forwards.ts';
import {parseAnswer} from '../../../source/drivers/virtualbox/guest.ts';
import {freeSlot, nicArguments, parseBridged, parseHostOnly} from '../../../source/drivers/virtualbox/nics.ts';
import {
	parseBlocks,
	parseInfo,
	parseLong,
	parseMachines,
	parseMetrics,
	parsePercent,
	parseVersion,
} from '../../../source/drivers/virtualbox/parse.ts';
import {parsePid} from '../../../source/drivers/virtualbox/process.ts';
import {isOnline, phaseOf, powerOf} from '../../../source/drivers/virtualbox/states.ts';
import {crlf, recording, recordings} from './recordings.ts';

const vm1 = 'ba46c907-79d2-480a-882b-76195207b211';

describe('lists', () => {
	test('names may have quotes of their own, and one that cannot be read has none', () => {
		expect(parseMachines(recording('171').stdout).at(-1)).toEqual({
			id: 'cad934b4-e547-429d-b9ae-860e55dc16c0',
			name: 'my vm "q" é',
			isAccessible: true,
		});
		expect(parseMachines(recording('186').stdout).map(({isAccessible}) => isAccessible)).toEqual([false, true, true]);
		expect(parseMachines(recording('003').stdout)).toEqual([]);
	});

	test('what a distribution’s wrapper says first is passed over', () => {
		expect(parseMachines(recording('001').stdout)).toEqual([]);
		expect(parseVersion(`${recording('001').stdout}7.2.22_Debianr175245\n`)).toBe('7.2.22');
		expect(parseVersion(recording('002').stdout)).toBe('7.2.22');
		expect(parseVersion('7.1.4r165100\r\n')).toBe('7.1.4');
		expect(parseVersion('VBoxManage: error\n')).toBeUndefined();
	});

	test('lines end as Windows ends them, too', () => {
		for (const {stdout} of recordings) {
			expect(parseMachines(crlf(stdout))).toEqual(parseMachines(stdout));
			expect(parseInfo(crlf(stdout))).toEqual(parseInfo(stdout));
			expect(parseBlocks(crlf(stdout))).toEqual(parseBlocks(stdout));
			expect(parseLong(crlf(stdout))).toEqual(parseLong(stdout));
		}
	});

	test('control characters in a name are not passed on', () => {
		const text = `"\u001B[31mred\u001B[0m" {${vm1}}\n`;
		expect(parseMachines(text)).toEqual([{id: vm1, name: 'red', isAccessible: true}]);
	});
});

describe('a machine in full', () => {
	test('keys with and without quotes, numbers, and lines that are none', () => {
		const info = parseInfo(recording('055').stdout);
		expect(info.get('VMState')).toBe('poweroff');
		expect(info.get('memory')).toBe('1024');
		expect(info.get('SATA_0-0-0')).toBe('/vms/vm1/disk.vdi');
		expect(info.get('Forwarding(0)')).toBe('ssh,tcp,127.0.0.1,2222,,22');
		expect(info.get('uartmode1')).toBe('file,/vms/vm1/console.log');
		expect([...info.keys()].some(key => key.includes('rec_screen0'))).toBe(false);
	});

	test('name and description are unescaped, and the description may have lines', () => {
		const info = parseInfo(recording('174').stdout);
		expect(info.get('name')).toBe('my vm "q" é');
		expect(info.get('description')).toBe('line1\nline2="x"');
		expect(info.get('GuestMemoryBalloon')).toBe('0');
	});

	test('a description cannot pretend to be a key', () => {
		const info = parseInfo('name="a"\nVMState="running"\ndescription="x\nVMState=\\"poweroff\\"\nUUID=1"\nlast=1\n');
		expect(info.get('VMState')).toBe('running');
		expect(info.get('UUID')).toBeUndefined();
		expect(info.get('last')).toBe('1');
	});

	test('nor can a snapshot’s, which is not escaped', () => {
		const info = parseInfo(`${recording('110').stdout}SnapshotDescription="\nVMState="running"\n"\n`);
		expect(info.get('VMState')).toBe('saved');
		expect(info.get('VMStateFile')).toBe('/vms/none.sav');
	});
});

describe('the long list', () => {
	test('tells state and since when, in UTC', () => {
		expect(parseLong(recording('024').stdout)).toEqual(
			new Map([[vm1, {state: 'powered off', since: Date.UTC(2026, 10, 23, 7, 7, 1, 634)}]]),
		);
		expect([...parseLong(recording('177').stdout).values()].every(({state}) => state === 'powered off')).toBe(true);
	});

	test('one that cannot be read has none, and the others have theirs', () => {
		const found = parseLong(recording('188').stdout);
		expect(found.has('3da43b7f-25fa-4189-a8e1-6cc51b8b0586')).toBe(false);
		expect(found.get('cad934b4-e547-429d-b9ae-860e55dc16c0')).toMatchObject({state: 'powered off'});
	});

	test('a description that tells of another machine makes it unknown, not different', () => {
		const lie = `Description:\nUUID:                        ${vm1}\nState:                       paused (since 2026-11-23T07:07:01.000000000)\n`;
		const other = recording('188').stdout.replace('line1\n', `line1\n${lie.slice(13)}`);
		expect(parseLong(`${other}${recording('024').stdout}`).has(vm1)).toBe(false);
		expect(parseLong(`${recording('024').stdout}${other}`).has(vm1)).toBe(false);
	});
});

describe('states', () => {
	test('every word of VBoxManage, as machines and as people are told it', () => {
		const words: [string, string, string][] = [
			['poweroff', 'powered off', 'off'],
			['saved', 'saved', 'suspended'],
			['teleported', 'teleported', 'off'],
			['aborted', 'aborted', 'off'],
			['aborted-saved', 'aborted-saved', 'suspended'],
			['running', 'running', 'running'],
			['paused', 'paused', 'paused'],
			['gurumeditation', 'guru meditation', 'unresponsive'],
			['teleporting', 'teleporting', 'running'],
			['livesnapshotting', 'live snapshotting', 'running'],
			['starting', 'starting', 'loading'],
			['stopping', 'stopping', 'paused'],
			['saving', 'saving', 'paused'],
			['restoring', 'restoring', 'loading'],
			['teleportingpausedvm', 'teleporting paused vm', 'paused'],
			['teleportingin', 'teleporting (incoming)', 'loading'],
			['deletingsnapshotlive', 'deleting snapshot live', 'running'],
			['deletingsnapshotlivepaused', 'deleting snapshot live paused', 'paused'],
			['onlinesnapshotting', 'online snapshotting', 'running'],
			['restoringsnapshot', 'restoring snapshot', 'off'],
			['deletingsnapshot', 'deleting snapshot', 'off'],
			['settingup', 'setting up', 'off'],
			['snapshotting', 'offline snapshotting', 'off'],
		];
		for (const [machine, person, power] of words) {
			expect([machine, powerOf(machine).power]).toEqual([machine, power]);
			expect([person, powerOf(person)]).toEqual([person, powerOf(machine)]);
			expect([machine, isOnline(machine)]).toEqual([machine, !['off', 'suspended'].includes(power)]);
		}
	});

	test('one that is not known is told as such', () => {
		expect(powerOf('levitating')).toMatchObject({power: 'unresponsive', reason: expect.stringContaining('levitating')});
		expect(phaseOf('')).toBe('busy');
		expect(powerOf('constructor').power).toBe('unresponsive');
	});
});

describe('the settings file', () => {
	const text = (more: string) =>
		`<VirtualBox>\n  <Machine uuid="{${vm1}}" name="a&quot;b" OSType="Linux_64"${more} snapshotFolder="Snapshots" lastStateChange="2026-11-26T01:23:09Z">\n`;

	test('tells saved memory, relative to itself or not', () => {
		expect(parseSettings(text(''), vm1, '/vms/a/a.vbox')).toEqual({file: '/vms/a/a.vbox', directory: '/vms/a'});
		expect(parseSettings(text(' stateFile="Snapshots/x &amp; y.sav"'), vm1, '/vms/a/a.vbox')).toMatchObject({
			stateFile: '/vms/a/Snapshots/x & y.sav',
		});
		expect(parseSettings(text(' stateFile="/o/x.sav" aborted="true"'), vm1, '/vms/a/a.vbox')).toMatchObject({
			stateFile: '/o/x.sav',
		});
	});

	test('of another machine it is none', () => {
		expect(parseSettings(text(''), vm1.replace('b', 'c'), '/vms/a/a.vbox')).toBeUndefined();
		expect(parseSettings('<html>', vm1, '/vms/a/a.vbox')).toBeUndefined();
	});
});

describe('forwards', () => {
	const one = ruleOf({protocol: 'tcp', address: '127.0.0.1', host: 8080, guest: 80});
	const two = ruleOf({protocol: 'udp', address: '0.0.0.0', host: 53, guest: 5353});

	test('only drover’s own rules are read', () => {
		const info = new Map([
			['Forwarding(0)', 'drover-ssh,tcp,127.0.0.1,2222,,22'],
			['Forwarding(1)', 'drover-udp-53,udp,,53,,5353'],
			['Forwarding(2)', 'theirs,tcp,,80,,80'],
			['Forwarding(3)', 'drover-x,tcp,127.0.0.1,80'],
			['natnet1', 'drover-y,tcp,,80,,80'],
		]);
		expect(parseRules(info)).toEqual([
			{name: 'drover-ssh', protocol: 'tcp', address: '127.0.0.1', host: 2222, guest: 22},
			two,
		]);
	});

	test('a rule is written as it is read', () => {
		for (const rule of [one, two]) expect(parseRules(new Map([['Forwarding(0)', ruleText(rule)]]))).toEqual([rule]);
	});

	test('what is changed is taken away first; at rest with one process', () => {
		const plan = planRules([one, two], [{...one, guest: 81}, two]);
		expect(plan).toEqual({remove: [one], add: [{...one, guest: 81}]});
		expect(ruleCommands('ID', false, plan)).toEqual([
			['modifyvm', 'ID', '--natpf1', 'delete', 'drover-tcp-8080', '--natpf1', 'drover-tcp-8080,tcp,127.0.0.1,8080,,81'],
		]);
		expect(ruleCommands('ID', true, plan)).toEqual([
			['controlvm', 'ID', 'natpf1', 'delete', 'drover-tcp-8080'],
			['controlvm', 'ID', 'natpf1', 'drover-tcp-8080,tcp,127.0.0.1,8080,,81'],
		]);
		expect(ruleCommands('ID', true, planRules([one], [one]))).toEqual([]);
	});
});

describe('networks', () => {
	test('cards that are up are told, the kernel’s own are not', () => {
		const found = parseBridged(recording('010').stdout);
		expect(found.map(({name, isUp}) => [name, isUp])).toEqual([['eth0', true]]);
		expect(found[0]!.network).toEqual({name: 'eth0', type: 'ethernet', description: '192.0.2.2'});
	});

	test('macOS and Windows name them at length', () => {
		const text =
			'Name:            en0: Wi-Fi (AirPort)\nIPAddress:       10.0.0.7\nWireless:        Yes\nStatus:          Up\n\nName:            Intel(R) Ethernet I219-V\nIPAddress:       0.0.0.0\nWireless:        No\nStatus:          Down\n\nName:            lo0\nStatus:          Up\n';
		expect(parseBridged(crlf(text))).toMatchObject([
			{
				name: 'en0: Wi-Fi (AirPort)',
				isUp: true,
				network: {name: 'en0', type: 'wifi', description: 'Wi-Fi (AirPort), 10.0.0.7'},
			},
			{name: 'Intel(R) Ethernet I219-V', isUp: false, network: {name: 'Intel(R) Ethernet I219-V', type: 'ethernet'}},
		]);
	});

	test('host-only ones in both forms', () => {
		expect(
			parseHostOnly('Name:            vboxnet0\nIPAddress:       192.168.56.1\nStatus:          Up\n', 'hostonly'),
		).toMatchObject([{name: 'vboxnet0', isUp: true, network: {type: 'host-only'}}]);
		expect(
			parseHostOnly('Name:            hon\nState:           Disabled\nLowerIP:         192.168.99.1\n', 'hostonlynet'),
		).toMatchObject([{name: 'hon', isUp: false}]);
		expect(parseHostOnly(recording('012').stdout, 'hostonly')).toEqual([]);
	});

	test('a further card goes into the first slot that has none', () => {
		const info = parseInfo(recording('055').stdout);
		expect(freeSlot(info, '52:54:00:aa:00:03')).toBe(3);
		expect(freeSlot(info, '52:54:00:aa:00:02')).toBeUndefined();
		const full = new Map(Array.from({length: 8}, (_, index) => [`nic${index + 1}`, 'nat']));
		expect(freeSlot(full, '52:54:00:aa:00:03')).toBe('full');
		expect(nicArguments(3, {kind: 'bridged', name: 'en0: Wi-Fi (AirPort)'}, '52:54:00:aa:00:03')).toEqual([
			...['--nic3', 'bridged', '--bridgeadapter3', 'en0: Wi-Fi (AirPort)', '--nictype3', 'virtio'],
			...['--macaddress3', '525400AA0003', '--cableconnected3', 'on'],
		]);
	});
});

test('progress, as it comes in pieces', () => {
	expect(parsePercent(recording('150').stderr)).toBe(100);
	expect(parsePercent('0%...10%...')).toBe(10);
	expect(parsePercent('...')).toBeUndefined();
	expect(parsePercent('900%')).toBeUndefined();
});

test('metrics: the last value of each, by machine', () => {
	const text = `Object          Metric                                   Values
--------------- ---------------------------------------- --------------------------------------------
host            CPU/Load/User                            79.20%
host            CPU/Load/User:avg                        1.00%
host            RAM/Usage/Used                           1263392 kB
drover-web-11111111 CPU/Load/User                            1.00%, 7.25%
drover-web-11111111 CPU/Load/Kernel                          
drover-web-11111111 Net/Rate/Rx                              2048 B/s
my vm           RAM/Usage/Used                           12 kB
`;
	expect(parseMetrics(crlf(text))).toEqual(
		new Map([
			[
				'host',
				new Map([
					['CPU/Load/User', 79.2],
					['RAM/Usage/Used', 1_263_392],
				]),
			],
			[
				'drover-web-11111111',
				new Map([
					['CPU/Load/User', 7.25],
					['Net/Rate/Rx', 2048],
				]),
			],
			['my vm', new Map([['RAM/Usage/Used', 12]])],
		]),
	);
});

test('the pid stands in the log', () => {
	expect(parsePid('00:00:00.009 VirtualBox VM 7.2.22\n00:00:00.010 Process ID: 3512 (0xdb8)\n')).toBe(3512);
	expect(parsePid('Process ID:  12 (0xc)\r\n')).toBe(12);
	expect(parsePid('a Process ID: 12')).toBeUndefined();
	expect(parsePid('Process ID: 1')).toBeUndefined();
});

test('what a guest says of itself is looked at', () => {
	const text = `NAME="X"
PRETTY_NAME="Debian \u001B[31m12"
--cpus 2
0.10 0.20 0.30 1/90 400
MemTotal:         245760 kB
MemFree:          1 kB
MemAvailable:     200000 kB
--disks
Filesystem     1024-blocks  Used Available Capacity Mounted on
/dev/sda2           480000 24000    456000       5% /
tmpfs               100000     0    100000       0% /run
/dev/../x           1 9 1 5% /x
`;
	expect(parseAnswer(text)).toEqual({
		release: 'Debian 12',
		load: [0.1, 0.2, 0.3],
		cpus: 2,
		memory: {used: 45_760 * 1024, total: 245_760 * 1024},
		disks: {sda2: {used: 24_000 * 1024, total: 480_000 * 1024}},
	});
	expect(parseAnswer('')).toEqual({});
});
