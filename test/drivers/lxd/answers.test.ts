import {describe, expect, test} from 'vitest';
import {parseAnswer} from '../../../source/drivers/lxd/client.ts';
import {LxdError, serverError} from '../../../source/drivers/lxd/errors.ts';
import {parseEvent} from '../../../source/drivers/lxd/events.ts';
import {pickErrors} from '../../../source/drivers/lxd/failure-log.ts';
import {parseGuest, parseMetrics} from '../../../source/drivers/lxd/guest.ts';
import {addressesOf, parseLeases, parseListed, powerOf} from '../../../source/drivers/lxd/instance-state.ts';
import {looseLimits, machineReason, parseFacts} from '../../../source/drivers/lxd/server-facts.ts';
import {guestCommand} from '../../../source/drivers/lxd/session.ts';
import {typeFor} from '../../../source/drivers/lxd/type.ts';
import {flavours, recordedJson, recordedLines, recording, recordings} from './recordings.ts';

const answer = (flavour: (typeof flavours)[number], name: string) => {
	const {status, body, headers} = recording(flavour, name);
	return parseAnswer(status, body, headers['etag']);
};
const failure = (flavour: (typeof flavours)[number], name: string) => {
	try {
		answer(flavour, name);
	} catch (error) {
		return error as LxdError;
	}
	throw new Error(`${name} is no failure`);
};

describe.each(flavours)('what a real %s answered', flavour => {
	test('every answer is understood: a result, an operation, or one kind of error', () => {
		let [results, operations, errors] = [0, 0, 0];
		for (const {name, status, body, headers} of recordings(flavour)) {
			if (!headers['content-type']?.includes('json')) continue;
			try {
				const {operation} = parseAnswer(status, body);
				if (operation === undefined) results++;
				else operations++;
			} catch (error) {
				expect(error, name).toBeInstanceOf(LxdError);
				expect((error as LxdError).problem, name).toBe('refused');
				expect((error as LxdError).message, name).not.toBe('');
				errors++;
			}
		}
		expect(results).toBeGreaterThan(30);
		expect(operations).toBeGreaterThan(20);
		expect(errors).toBeGreaterThan(10);
	});

	test('what is missing has status 404', () => {
		expect(failure(flavour, 'delete-missing')).toMatchObject({problem: 'refused', status: 404});
		expect(failure(flavour, 'instance-patch-412')).toMatchObject({problem: 'refused', status: 412});
		expect(failure(flavour, 'instance-create-badname').message).toMatch(/Invalid instance name/);
	});

	test('an instance of a listing, with its state and its address', () => {
		const list = answer(flavour, 'list-r1').metadata as unknown[];
		const found = parseListed(list[0])!;
		expect(found).toMatchObject({name: 'c1', type: 'container', location: ''});
		expect(powerOf(found.status).power).toBe('running');
		expect(found.devices['eth0']).toMatchObject({type: 'nic'});
		const stopped = parseListed(answer(flavour, 'instance-get-stopped').metadata)!;
		expect(powerOf(stopped.status).power).toBe('off');
		expect(stopped.lastUsedAt).toBeUndefined();
		const leases = parseLeases(answer(flavour, 'network-leases').metadata);
		expect(leases.get('00:16:3e:aa:00:01')).toMatch(/^10\./);
		const state = answer(flavour, 'instance-state-running').metadata;
		expect(addressesOf(state)).toEqual([leases.get('00:16:3e:aa:00:01')]);
		const sample = parseMetrics(state, 5);
		expect(sample).toMatchObject({at: 5, memoryUsed: expect.any(Number), received: expect.any(Number)});
		expect(sample.cpuSeconds).toBeGreaterThan(0);
		const frozen = answer(flavour, 'instance-state-frozen').metadata as {status_code: number};
		expect(powerOf(frozen.status_code)).toMatchObject({power: 'paused'});
	});

	test('events name project and instance; what nobody has to look at is left out', () => {
		const all = recordedLines(flavour, 'events-lifecycle.jsonl');
		const events = all.flatMap(line => parseEvent(line) ?? []);
		expect(events.length).toBeGreaterThanOrEqual(5);
		expect(events.length).toBeLessThan(all.length);
		for (const event of events)
			expect(event).toMatchObject({project: 'feas', instance: expect.stringMatching(/^[\w-]+$/)});
		expect(new Set(events.map(event => event.what))).toContain('frozen');
	});
});

test('what a server says of itself', () => {
	const facts = parseFacts((recordedJson('lxd', 'get-1.0.json') as {metadata: unknown}).metadata);
	expect(facts).toMatchObject({
		flavour: 'lxd',
		version: '5.0.2',
		isTrusted: true,
		hasContainers: true,
		hasMachines: false,
		isClustered: false,
	});
	expect(facts.extensions.size).toBeGreaterThan(300);
	const both = parseFacts({auth: 'untrusted', environment: {server: 'incus', driver: 'qemu | lxc'}});
	expect(both).toMatchObject({flavour: 'incus', hasMachines: true, hasContainers: true, isTrusted: false});
	expect(parseFacts('nonsense')).toMatchObject({flavour: 'lxd', isTrusted: false, hasMachines: false});
});

test('a machine where the server runs them, a container only when told to, else its own reason', () => {
	const facts = (driver: string) => parseFacts({environment: {driver}});
	const noMachines = machineReason([
		{type: 'Something else', last_message: 'no'},
		{type: 'Instance type not operational', last_message: 'vhost_vsock kernel module not loaded'},
	])!;
	expect(typeFor({facts: facts('qemu | lxc')}, 'auto')).toBe('virtual-machine');
	expect(typeFor({facts: facts('qemu | lxc')}, 'container')).toBe('container');
	expect(typeFor({facts: facts('lxc'), noMachines}, 'container')).toBe('container');
	for (const setting of ['auto', 'vm']) {
		expect(() => typeFor({facts: facts('lxc'), noMachines}, setting)).toThrow(
			expect.objectContaining({
				code: 'driver.unusable',
				message: expect.stringContaining('vhost_vsock kernel module not loaded'),
				next: expect.stringContaining('local.lxd.type=container'),
			}),
		);
	}
});

test('limits that a server takes and does not keep are among its warnings, as long as they are in force', () => {
	const warnings = (status: string) => [
		{type: "Couldn't find the CGroup blkio", last_message: 'disk I/O limits will be ignored', status},
		{type: "Couldn't find the CGroup CPU controller", last_message: 'CPU pinning will be ignored', status},
		{type: "Couldn't find the CGroup memory controller", last_message: 'memory limits will be ignored', status},
		{type: 'Instance type not operational', last_message: 'KVM support is missing', status},
	];
	expect(looseLimits(warnings('new'))).toEqual(['processors', 'memory']);
	expect(looseLimits(warnings('resolved'))).toEqual([]);
	expect(machineReason(warnings('acknowledged'))).toBe('KVM support is missing');
	expect(machineReason(warnings('resolved'))).toBeUndefined();
	expect(looseLimits([{type: "Couldn't find the CGroup CPU controller", last_message: 'CPU time limits'}])).toEqual([]);
	expect(looseLimits({nonsense: true})).toEqual([]);
	expect(parseMetrics({cpu: {usage: 0}, memory: {usage: 0}}, 5)).toEqual({at: 5, received: 0, sent: 0});
});

test('an entry of a listing that makes no sense spoils no other', () => {
	expect(
		[{name: 'a', status_code: 103}, null, 5, {name: 7}, {name: 'b'}].flatMap(entry => parseListed(entry) ?? []),
	).toMatchObject([{name: 'a', type: 'container'}]);
	expect([
		...parseLeases([
			{hwaddr: 'AA:BB:CC:00:11:22', address: '10.0.0.9'},
			{hwaddr: 1},
			{hwaddr: 'x', address: 'fe80::1'},
		]),
	]).toEqual([['aa:bb:cc:00:11:22', '10.0.0.9']]);
});

test('the reason of a failed start is picked from its log', () => {
	const log = [
		'lxc drover_web 20261125190000.123 WARN     cgfsng - cgroups/cgfsng.c:fchowmodat:1252 - No such file',
		'lxc drover_web 20261125190000.125 ERROR    conf - conf.c:lxc_map_ids:3668 - newuidmap failed to write mapping "newuidmap: uid range [1000-1001) -> [1000-1001) not allowed"',
		'lxc drover_web 20261125190000.126 ERROR    start - start.c:__lxc_start:2027 - Failed to spawn container "drover_web"',
	].join('\n');
	expect(pickErrors(log, 'lxc.log')[0]).toBe(
		'newuidmap failed to write mapping "newuidmap: uid range [1000-1001) -> [1000-1001) not allowed"',
	);
});

test('what a guest says of itself is checked', () => {
	expect(parseGuest('0.10 0.20 0.30 1/50 99\nPRETTY_NAME="Micro \u001B[31m1"\ncpus=2\n')).toEqual({
		release: 'Micro 1',
		load: [0.1, 0.2, 0.3],
		cpus: 2,
	});
	expect(parseGuest('garbage')).toEqual({});
});

test('errors of a server are told for what they are', () => {
	const codeOf = (error: LxdError) => (serverError(error, 'starting') as {code: string}).code;
	expect(codeOf(new LxdError('refused', 'write /x: no space left on device', {status: 500}))).toBe('host.disk-full');
	expect(codeOf(new LxdError('refused', 'nope', {status: 403}))).toBe('driver.unusable');
	expect(codeOf(new LxdError('unreachable', 'connect ECONNREFUSED'))).toBe('driver.unusable');
	expect(codeOf(new LxdError('silent', 'no answer'))).toBe('driver.unresponsive');
	expect(codeOf(new LxdError('aborted', ''))).toBe('operation.cancelled');
	expect(new LxdError('refused', 'a\u001B[2Jb\u0007').message).toBe('ab');
});

test('the words of a command are arguments in the guest, never part of a script', () => {
	const [shell, flag, , zero, user, directory, ...rest] = guestCommand('ubuntu', ['echo', '$(reboot)', "a'b"], '/srv');
	expect([shell, flag, zero, user, directory, ...rest]).toEqual([
		'sh',
		'-c',
		'sh',
		'ubuntu',
		'/srv',
		'echo',
		'$(reboot)',
		"a'b",
	]);
});
