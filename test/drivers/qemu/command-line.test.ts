import {describe, expect, test} from 'vitest';
import {domainXml, stampIn} from '../../../source/drivers/machine/domain-xml.ts';
import {filesOf} from '../../../source/drivers/machine/files.ts';
import {devicesDigest} from '../../../source/drivers/machine/hardware.ts';
import {hasStream} from '../../../source/drivers/machine/private-nic.ts';
import {commandLine} from '../../../source/drivers/qemu/command-line.ts';
import {mebibyte} from '../../../source/model/sizes.ts';
import {testRecord, testStamp} from '../machine/record.ts';

const files = filesOf({directory: '/data/a,b/web', sockets: '/run/d,rover/i/12345678'});
/** Of the machine of `testRecord`. */
const earlierDigest = '9d1584c33fe87774dbb74b9f88af8a9c9a19bd9133933b316c5d86f73bbb2532';
const valuesOf = (args: readonly string[], option: string) =>
	args.flatMap((word, index) => (word === option ? [args[index + 1]!] : []));

describe('a card on the private network', () => {
	const record = testRecord();
	const privateNic = {mac: '52:54:00:00:00:02', address: '10.86.0.2', prefix: 22};
	const input = {
		record: {...record, hardware: {...record.hardware, privateNic}},
		files,
		accelerator: 'tcg',
		emulator: '/q',
		platform: 'linux',
	} as const;
	const device = 'id=net1,romfile=,mac=52:54:00:00:00:02,bus=pci.0,addr=0x11';

	test('is beside the first, on a socket in the private directory, and nobody is waited for', () => {
		const args = commandLine(input);
		expect(valuesOf(args, '-netdev').at(-1)).toBe(
			'stream,id=n1,server=on,addr.type=unix,addr.path=/run/d,,rover/i/12345678/net.sock',
		);
		expect(valuesOf(args, '-device').at(-1)).toBe(`virtio-net-pci,netdev=n1,${device}`);
	});

	test('is the same under libvirt', () => {
		const words = [...domainXml(input).matchAll(/<qemu:arg value='([^']*)'\/>/g)].map(match => match[1]!);
		const args = commandLine(input);
		expect(words).toHaveLength(8);
		expect(words).toEqual(args.slice(args.indexOf('-netdev'), args.indexOf('-netdev') + 8));
	});

	test('is there with nothing behind it where QEMU is too old to carry it: saved memory fits all the same', () => {
		const old = commandLine({...input, isPlugged: false});
		expect(valuesOf(old, '-netdev')).toHaveLength(1);
		expect(valuesOf(old, '-device').at(-1)).toBe(`virtio-net-pci,${device}`);
		expect(domainXml({...input, isPlugged: false})).not.toContain('stream');
		expect(['7.2.22', '7.2', '8.0.0', '10.1.2'].map(hasStream)).toEqual([true, true, true, true]);
		expect(['7.1.0', '6.2.0', ''].map(hasStream)).toEqual([false, false, false]);
	});

	test('counts for saved memory, and one that is not there counts for nothing', () => {
		expect(devicesDigest(input.record)).not.toBe(devicesDigest(record));
		// As earlier versions wrote it into the stamps of what they suspended.
		expect(devicesDigest(record)).toBe(earlierDigest);
	});

	test('with anything but an address of an instance is refused', () => {
		const broken = {...record, hardware: {...record.hardware, privateNic: {...privateNic, mac: "x'/>"}}};
		expect(() => commandLine({...input, record: broken})).toThrow(/MAC/);
		expect(() => domainXml({...input, record: broken})).toThrow(/MAC/);
	});
});

describe('the command line', () => {
	const args = commandLine({record: testRecord(), files, accelerator: 'tcg', platform: 'linux'});

	test('names the instance by its UUID, by which it is found again', () => {
		expect(valuesOf(args, '-uuid')).toEqual([testRecord().id]);
		expect(valuesOf(args, '-name')).toEqual(['web']);
	});

	test('gives the guest what the record says', () => {
		expect(valuesOf(args, '-m')).toEqual(['256']);
		expect(valuesOf(args, '-smp')).toEqual(['2,sockets=2,cores=1,threads=1']);
		expect(valuesOf(args, '-machine')[0]).toMatch(/^pc-i440fx-7\.2,/);
		expect(valuesOf(args, '-netdev')).toEqual(['user,id=n0,hostfwd=tcp:127.0.0.1:40022-:22']);
		expect(valuesOf(args, '-device').at(-1)).toContain('mac=52:54:00:12:34:56,bus=pci.0,addr=0x10');
	});

	test('doubles the commas of paths, at which QEMU would take its options apart', () => {
		expect(valuesOf(args, '-chardev').map(value => /path=(.*?),server=on/.exec(value)?.[1])).toEqual([
			'/run/d,,rover/i/12345678/console.sock',
			'/run/d,,rover/i/12345678/qga.sock',
			'/run/d,,rover/i/12345678/qmp.sock',
			'/run/d,,rover/i/12345678/qmp2.sock',
		]);
	});

	test('names the files of the instance’s directory relative to it, whatever it is called', () => {
		expect(args.join(' ')).not.toContain('a,b');
		expect(valuesOf(args, '-pidfile')).toEqual(['pid']);
		expect(valuesOf(args, '-blockdev')[0]).toContain('filename=disk.qcow2,');
	});

	test('the seed cannot be written to', () => {
		for (const value of valuesOf(args, '-blockdev').filter(value => value.includes('seed'))) {
			expect(value).toMatch(/read-only=on/);
		}
	});

	test('an accelerator gets the host’s processor, emulation a fixed one and a limited cache', () => {
		expect(valuesOf(args, '-accel')).toEqual(['tcg,tb-size=64']);
		expect(valuesOf(args, '-cpu')[0]).toMatch(/^qemu64,/);
		const kvm = commandLine({record: testRecord(), files, accelerator: 'kvm'});
		expect([...valuesOf(kvm, '-accel'), ...valuesOf(kvm, '-cpu')]).toEqual(['kvm', 'host']);
	});

	test('waits for a memory image only when there is one', () => {
		expect(args).not.toContain('-incoming');
		expect(commandLine({record: testRecord(), files, accelerator: 'tcg', incoming: true}).slice(-2)).toEqual([
			'-incoming',
			'defer',
		]);
	});

	test.each([
		['a name with an option in it', {name: 'web,readonly=on'}],
		['an id that is none', {id: 'x'}],
		['a MAC address with more behind it', {hardware: {...testRecord().hardware, mac: '52:54:00:12:34:56,id=x'}}],
		['a machine type with options', {hardware: {...testRecord().hardware, machine: 'pc,dumpdtb=/etc/passwd'}}],
		['no memory', {hardware: {...testRecord().hardware, memory: mebibyte / 2}}],
		['a fraction of a processor', {hardware: {...testRecord().hardware, cpus: 1.5}}],
		['a port that is none', {ssh: {...testRecord().ssh, port: 70_000}}],
		['another architecture', {hardware: {...testRecord().hardware, arch: 'riscv64' as never}}],
	])('refuses %s', (_, change) => {
		const record = testRecord(change);
		for (const make of [
			() => commandLine({record, files, accelerator: 'tcg'}),
			() => domainXml({record, files, accelerator: 'tcg', emulator: '/q', owner: {uid: 0, gid: 0}}),
		]) {
			expect(make).toThrow(expect.objectContaining({code: 'instance.invalid'}));
		}
	});
});

describe('the domain XML', () => {
	const odd = filesOf({directory: `/data/<&'">/web`, sockets: '/run/x'});
	const input = {
		record: testRecord(),
		files: odd,
		accelerator: 'tcg' as const,
		emulator: '/usr/bin/qemu-system-x86_64',
		owner: {uid: 1000, gid: 100},
	};

	test('puts every device where the command line puts it', () => {
		const xml = domainXml(input);
		const args = commandLine({record: testRecord(), files, accelerator: 'tcg'});
		const slotOf = (pattern: RegExp) =>
			Number.parseInt(/addr=0x([\da-f]+)/.exec(args.find(word => pattern.test(word))!)![1]!, 16);
		const xmlSlot = (pattern: RegExp) =>
			Number.parseInt(/slot='0x([\da-f]+)'/.exec(xml.split('\n').find(line => pattern.test(line))!)![1]!, 16);
		expect(xmlSlot(/target dev='vda'/)).toBe(slotOf(/drive=disk0,/));
		expect(xmlSlot(/target dev='vdb'/)).toBe(slotOf(/drive=seed0,/));
		expect(xmlSlot(/virtio-serial' index/)).toBe(slotOf(/^virtio-serial-pci/));
		expect(xmlSlot(/memballoon/)).toBe(slotOf(/^virtio-balloon-pci/));
		expect(xmlSlot(/rng model/)).toBe(slotOf(/^virtio-rng-pci/));
		expect(xml).toContain(args.find(word => word.startsWith('virtio-net-pci'))!);
	});

	test('is sound whatever the paths contain', () => {
		expect(domainXml(input)).toContain('&lt;&amp;&apos;&quot;&gt;/web/disk.qcow2');
	});

	test('carries a stamp and gives it back', () => {
		const stamp = testStamp({version: `7.2 <&'">`});
		expect(stampIn(domainXml({...input, stamp}))).toEqual(stamp);
		expect(stampIn(domainXml(input))).toBeUndefined();
		expect(stampIn("<drover:stamp xmlns:drover='urn:drover:suspend:1'>{broken</drover:stamp>")).toBeUndefined();
	});
});

test('the digest of the devices depends on the card’s address and on nothing that may change', () => {
	const digest = devicesDigest(testRecord());
	expect(devicesDigest(testRecord({name: 'other', ssh: {user: 'x', hostKey: 'y', port: 1}}))).toBe(digest);
	expect(devicesDigest(testRecord({hardware: {...testRecord().hardware, mac: '52:54:00:00:00:01'}}))).not.toBe(digest);
});
