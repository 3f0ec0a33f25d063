import {describe, expect, test} from 'vitest';
import {parseBalloonStats} from '../../../source/drivers/libvirt/balloon.ts';
import {libvirtUri} from '../../../source/drivers/libvirt/connection.ts';
import {keyOfName, parseStates} from '../../../source/drivers/libvirt/domains.ts';
import {parseEvent} from '../../../source/drivers/libvirt/events.ts';
import {explainRefusal} from '../../../source/drivers/libvirt/host.ts';
import {failureOf, reasonIn} from '../../../source/drivers/libvirt/virsh.ts';
import {wordsOf} from '../../../source/drivers/libvirt/watch.ts';
import {acceleratorIn, domainName, domainXml, nameIn, stampIn} from '../../../source/drivers/machine/domain-xml.ts';
import {filesOf} from '../../../source/drivers/machine/files.ts';
import {parseSaveHeader, replaceXml, saveHeader, streamOffset} from '../../../source/drivers/machine/save-format.ts';
import {testRecord, testStamp} from '../machine/record.ts';

describe('which libvirt', () => {
	test('the user’s own, the system’s for root, or what was chosen on this host', () => {
		expect(libvirtUri({}, 1000)).toBe('qemu:///session');
		expect(libvirtUri({}, 0)).toBe('qemu:///system');
		expect(libvirtUri({LIBVIRT_DEFAULT_URI: 'qemu:///system'}, 1000)).toBe('qemu:///system');
		expect(libvirtUri({LIBVIRT_DEFAULT_URI: 'qemu:///session?socket=/run/x/s'}, 0)).toBe(
			'qemu:///session?socket=/run/x/s',
		);
	});

	test('never one of another host or kind', () => {
		for (const uri of ['qemu+ssh://host/system', 'qemu://host/system', 'xen:///system', 'test:///default']) {
			expect(libvirtUri({LIBVIRT_DEFAULT_URI: uri}, 1000)).toBe('qemu:///session');
		}
	});
});

describe('what libvirt says', () => {
	test('of memory, in KiB', () => {
		const text = "Domain: 'x'\n  balloon.current=204800\n  balloon.maximum=327680\n  balloon.swap_in=0\n";
		expect(parseBalloonStats(text)).toEqual({built: 327_680 * 1024, actual: 204_800 * 1024});
		expect(() => parseBalloonStats('balloon.current=x\nballoon.maximum=1\n')).toThrow(/does not tell how much/);
	});

	test('states of drover’s machines, and of no others', () => {
		const text = [
			["Domain: 'drover-web-12345678'", 1, 1],
			["Domain: 'drover-web-1-aabbccdd'", 3, 11],
			["Domain: 'drover-db-00000001'", 3, 5],
			["Domain: 'drover-db-00000002'", 3, 3],
			["Domain: 'drover-db-00000003'", 4, 1],
			["Domain: 'drover-db-00000004'", 5, 1],
			["Domain: 'somebody-elses'", 1, 1],
		]
			.map(([name, state, reason]) => `${name}\n  state.state=${state}\n  state.reason=${reason}\n`)
			.join('\n');
		expect(Object.fromEntries(parseStates(text))).toEqual({
			'12345678': 'running',
			aabbccdd: 'starting',
			'00000001': 'io-error',
			'00000002': 'saving',
			'00000003': 'ending',
		});
		expect(parseStates('')).toEqual(new Map());
	});

	test('events of drover’s machines', () => {
		const line = "2026-11-23 09:28:10.307+0000: event 'lifecycle' for domain 'drover-web-12345678': Stopped Failed";
		expect(parseEvent(line)).toEqual({key: '12345678', name: 'lifecycle', detail: 'Stopped Failed'});
		expect(parseEvent("x: event 'reboot' for domain 'drover-web-12345678'")).toMatchObject({
			name: 'reboot',
			detail: '',
		});
		expect(parseEvent(line.replace('drover-web-12345678', 'web'))).toBeUndefined();
		expect(parseEvent('\tmemory_total: 12')).toBeUndefined();
	});

	test('of events only what changes something is told', () => {
		const words = (name: string, detail = '') => wordsOf({key: 'k', name, detail});
		expect(words('lifecycle', 'Stopped Failed')).toBe('ended');
		expect(words('lifecycle', 'Stopped Shutdown')).toBe('powered off');
		expect(words('lifecycle', 'Resumed Unpaused')).toBe('goes on');
		expect(words('reboot')).toBe('rebooted');
		expect(words('job-completed')).toBeUndefined();
		expect(words('agent-lifecycle', 'connected')).toBeUndefined();
	});

	test('reasons without paths, times and repetition', () => {
		expect(
			reasonIn(
				"error: Failed to create domain from dom.xml\nerror: internal error: qemu unexpectedly closed the monitor: 2026-11-23T09:26:56.702769Z qemu-system-x86_64: -netdev user: Could not set up host forwarding rule 'tcp:127.0.0.1:1-:22'",
			),
		).toBe("-netdev user: Could not set up host forwarding rule 'tcp:127.0.0.1:1-:22'");
		expect(reasonIn('error: \u001B[31mbad\u0007\n')).toBe('bad');
		expect(reasonIn('')).toBe('it does not say why');
	});

	test('failures by kind', () => {
		const failure = (stderr: string, timedOut = false) => failureOf({code: 1, stdout: '', stderr, timedOut}).problem;
		expect(failure("error: failed to get domain 'x'")).toBe('absent');
		expect(failure("error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run'")).toBe(
			'unreachable',
		);
		expect(failure('error: internal error: no')).toBe('refused');
		expect(failure('', true)).toBe('silent');
	});

	test('why it cannot be used, with a remedy', async () => {
		const why = (stderr: string, uri: string) =>
			explainRefusal(failureOf({code: 1, stdout: '', stderr, timedOut: false}), uri, '/usr/sbin/libvirtd');
		expect((await why('error: authentication unavailable: polkit', 'qemu:///system')).remedy).toMatch(/usermod/);
		expect((await why('error: Failed to connect socket', 'qemu:///system')).remedy).toMatch(/libvirtd/);
		expect((await why('error: Failed to connect socket', 'qemu:///session')).remedy).toMatch(/virsh -c/);
	});
});

describe('the document', () => {
	const record = testRecord();
	const files = filesOf({directory: '/d', sockets: '/s'});
	const input = {record, files, accelerator: 'tcg', emulator: '/q'} as const;

	test('names the machine so that other homes and machines are not in the way', () => {
		const xml = domainXml(input);
		expect(nameIn(xml)).toBe('drover-web-12345678');
		expect(keyOfName(domainName(record))).toBe('12345678');
		expect(xml).toContain('<title>web</title>');
		expect(nameIn(domainXml({...input, name: 'drover-old-12345678'}))).toBe('drover-old-12345678');
		expect(acceleratorIn(xml)).toBe('tcg');
		expect(acceleratorIn(domainXml({...input, accelerator: 'kvm'}))).toBe('kvm');
	});

	test('speaks of owners to the system’s libvirt only', () => {
		expect(domainXml(input)).not.toContain('seclabel');
		expect(domainXml({...input, owner: {uid: 7, gid: 8}})).toContain('<label>+7:+8</label>');
	});

	test('takes the place of libvirt’s in a saved file, with its stamp', () => {
		const stamp = testStamp();
		const file = Buffer.concat([saveHeader(`<domain>${'x'.repeat(9000)}</domain>`, true), Buffer.from('QEVM')]);
		// Where libvirt notes its cookie.
		file.writeUInt32LE(9100, 32);
		const head = replaceXml(domainXml({...input, stamp}), streamOffset)!;
		head.bytes.copy(file, head.position);
		const header = parseSaveHeader(file);
		expect(header).toMatchObject({complete: true, offset: streamOffset});
		expect(stampIn((header as {xml: string}).xml)).toEqual(stamp);
		expect(file.readUInt32LE(32)).toBe(0);
		expect(replaceXml('x'.repeat(streamOffset), streamOffset)).toBeUndefined();
	});
});
