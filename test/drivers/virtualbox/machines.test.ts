import {mkdir, rm, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {describe, expect, onTestFinished, test} from 'vitest';
import type {DriverEvent} from '../../../source/drivers/driver.ts';
import {createVirtualBoxDriver} from '../../../source/drivers/virtualbox/driver.ts';
import {parseForward} from '../../../source/model/forward.ts';
import {mebibyte} from '../../../source/model/sizes.ts';
import {eventually, Subject} from '../../contract/subject.ts';
import {scratchPaths} from '../../support/scratch.ts';
import type {Behaviour} from '../../support/virtualbox/service/world.ts';
import {standIn} from '../../support/virtualbox/stand-in.ts';

async function world(behaviour: Behaviour = {}) {
	const paths = scratchPaths();
	const stand = await standIn(behaviour);
	onTestFinished(() => stand.close());
	await stand.warm();
	const driver = createVirtualBoxDriver({
		paths,
		program: stand.program,
		host: {platform: 'darwin', architecture: 'x64', environment: process.env},
	});
	const image = path.join(path.dirname(paths.data), 'image');
	const bytes = Buffer.alloc(mebibyte);
	bytes.writeUInt16BE(0x55_aa, 510);
	await writeFile(image, bytes);
	const make = async (name: string) => {
		const subject = await Subject.make(
			paths,
			{path: image, format: 'raw', hash: 'sha256:0', virtualSize: mebibyte} as Subject['image'],
			name,
			'virtualbox',
		);
		await subject.create(driver);
		return subject;
	};
	const say = async (...args: string[]) => (await execa(stand.program, args, {reject: false})).stdout;
	return {paths, stand, driver, make, say};
}

describe('starting', {timeout: 60_000}, () => {
	test('a start that says it has failed and has not, has not', async () => {
		const {driver, make} = await world({deniesStart: true});
		const web = await make('web');
		await web.start(driver);
		expect(await web.power(driver)).toBe('running');
	});

	test('a start that fails says why, and leaves it off', async () => {
		const {driver, make} = await world({startError: 'VT-x is disabled in the BIOS (VERR_VMX_MSR_ALL_VMX_DISABLED)'});
		const web = await make('web');
		await expect(web.start(driver)).rejects.toMatchObject({
			code: 'driver.failed',
			message: expect.stringMatching(/virtualization is switched off/),
		});
		expect(await web.power(driver)).toBe('off');
	});

	test('what is paused goes on, and what was stopped over an error is not started over it', async () => {
		const {driver, make, say} = await world();
		const web = await make('web');
		await web.start(driver);
		await say('controlvm', web.record.id, 'pause');
		await eventually('it is seen', async () => (await web.power(driver)) === 'paused');
		await web.start(driver);
		await eventually('it is seen', async () => (await web.power(driver)) === 'running');
		await web.suspend(driver);
		expect(await web.power(driver)).toBe('suspended');
	});

	test('a machine that is being unlocked is waited for', async () => {
		const {driver, make} = await world();
		const web = await make('web');
		for (let round = 0; round < 3; round++) {
			await web.start(driver);
			// The next start comes while VirtualBox still lets go of it.
			await web.powerOff(driver);
		}
		expect(await web.power(driver)).toBe('off');
	});

	test('memory that somebody discarded in VirtualBox’s window is gone, and it boots', async () => {
		const {driver, make, say} = await world();
		const web = await make('web');
		await web.start(driver);
		await web.suspend(driver);
		// VirtualBox may not have let go of it yet.
		await eventually('it is discarded', async () => {
			await say('discardstate', web.record.id);
			return (await web.power(driver)) === 'off';
		});
		await web.start(driver);
		expect(web.record.suspended).toBeUndefined();
		expect(web.log).toContainEqual(expect.stringMatching(/no saved memory of it any more/));
	});

	test('its disk is there to be copied, as long as VirtualBox knows the machine', async () => {
		const {driver, make, say} = await world();
		const web = await make('web');
		const file = path.join(web.place.directory, 'disk.vdi');
		expect(await driver.diskFile!(web.record, web.place)).toEqual({file, format: 'vdi'});
		await say('unregistervm', web.record.id);
		expect(await driver.diskFile!(web.record, web.place)).toBe('VirtualBox does not know its machine any more');
	});

	test('one that was removed there is broken, and can still be destroyed', async () => {
		const {driver, make, say} = await world();
		const web = await make('web');
		web.record = {...web.record, phase: 'ready'};
		await say('unregistervm', web.record.id);
		expect(await web.observe(driver)).toMatchObject({power: 'unusable'});
		await expect(web.start(driver)).rejects.toMatchObject({code: 'instance.broken'});
		await driver.destroy(web.record, web.place, web.work());
	});
});

describe('stopping', {timeout: 60_000}, () => {
	test('what is waited for is the process: nobody is asked again and again', async () => {
		const {driver, make, stand} = await world({isDeaf: true});
		const all = await Promise.all(['a', 'b', 'c', 'd'].map(make));
		for (const each of all) await each.start(driver);
		const before = (await stand.calls()).length;
		const stops = await Promise.all(all.map(each => each.stop(driver, 1500).catch((error: unknown) => error)));
		for (const error of stops) expect(error).toMatchObject({code: 'guest.unanswered'});
		// A look before, one within, the button once: what is waited for is the process.
		expect((await stand.calls()).length - before).toBeLessThanOrEqual(4 * 5);
		await Promise.all(all.map(each => each.powerOff(driver)));
		for (const each of all) expect(await each.power(driver)).toBe('off');
	});

	test('a guest that ends by itself is told of', async () => {
		const {driver, make} = await world();
		const web = await make('web');
		await web.start(driver);
		const events: DriverEvent[] = [];
		const watching = driver.watch(web.record, web.place, event => events.push(event));
		onTestFinished(() => watching.close());
		process.kill(await web.pid(driver), 'SIGKILL');
		await eventually('it is told', () => events.length > 0);
		expect(events[0]).toEqual({id: web.record.id, what: 'ended'});
		await eventually('it is off', async () => (await web.power(driver)) === 'off');
	});
});

describe('what belongs to a machine', {timeout: 60_000}, () => {
	test('a creation that died is taken up, whatever it left', async () => {
		const {driver, make, say, stand} = await world();
		const web = await make('web');
		const {id} = web.record;
		await say('unregistervm', id);
		await rm(path.join(web.place.directory, 'disk.vdi'));
		await writeFile(path.join(web.place.directory, 'disk.part.vdi'), 'half');
		await web.create(driver);
		expect(await web.power(driver)).toBe('off');
		const info = await say('showvminfo', id, '--machinereadable');
		expect(info).toContain(`"IDE-0-0"="${path.join(web.place.directory, 'disk.vdi')}"`);
		const {calls} = stand;
		expect((await calls()).filter(call => call.startsWith('createvm'))).toHaveLength(2);
	});

	test('a network that is not there is refused, though VirtualBox would take it', async () => {
		const {driver, make, say} = await world({adapters: ['en0: Wi-Fi (AirPort)', 'en5']});
		const web = await make('web');
		expect((await driver.networks!()).map(({name}) => name)).toEqual(['en0', 'en5']);
		const nic = {mac: '52:54:00:aa:00:02', mode: 'auto' as const};
		await expect(driver.addNic!(web.record, web.place, {...nic, network: 'en9'}, web.work())).rejects.toMatchObject({
			code: 'instance.invalid',
		});
		await driver.addNic!(web.record, web.place, {...nic, network: 'en0'}, web.work());
		expect(await say('showvminfo', web.record.id, '--machinereadable')).toContain(
			'bridgeadapter2="en0: Wi-Fi (AirPort)"',
		);
		await web.start(driver);
		await expect(
			driver.addNic!(web.record, web.place, {...nic, mac: '52:54:00:aa:00:03', network: 'en5'}, web.work()),
		).rejects.toMatchObject({code: 'instance.state', next: 'Stop it first.'});
	});

	test('a port that another program has got meanwhile is not left to VirtualBox, which says nothing', async () => {
		const {driver, make} = await world();
		const web = await make('web');
		const thief = createServer().listen(0, '127.0.0.1');
		await new Promise(resolve => thief.once('listening', resolve));
		onTestFinished(() => void thief.close());
		const {port} = thief.address() as {port: number};
		web.record = {...web.record, forwards: [parseForward(`${port}:80`)], ssh: {...web.record.ssh, port}};
		await web.start(driver);
		expect(web.record.ssh.port).not.toBe(port);
		expect(web.log).toContainEqual(expect.stringMatching(/could not be forwarded: another program has the port/));
		const {notes} = await driver.inspect(web.record, web.place);
		expect(notes).toEqual([expect.stringMatching(/is not in force/)]);
	});

	test('a machine without a record is found, and its power is cut; others’ machines are not looked at', async () => {
		const {driver, make, say, paths} = await world();
		const web = await make('web');
		await web.start(driver);
		const elsewhere = path.join(path.dirname(paths.data), 'elsewhere');
		await mkdir(elsewhere);
		const other = 'aaaaaaaa-2222-4333-8444-555555555555';
		await say('createvm', '--name', 'drover-mine-aaaaaaaa', '--uuid', other, '--basefolder', elsewhere, '--register');
		await say('startvm', other, '--type', 'headless');
		expect(await driver.strangers!(new Set([web.record.id]))).toEqual([]);
		const [stranger, ...more] = await driver.strangers!(new Set());
		expect(stranger).toEqual({id: web.record.id, name: 'web', pid: await web.pid(driver)});
		expect(more).toEqual([]);
		expect(await driver.endStranger!(stranger!)).toBe(true);
		expect(await web.power(driver)).toBe('off');
	});

	test('suspending that is called off leaves the guest running', async () => {
		const {driver, make} = await world({saveMs: 500});
		const web = await make('web');
		await web.start(driver);
		const abort = new AbortController();
		const work = {
			...web.work(abort.signal),
			progress: (stage: string) => void (stage === 'saving memory' && setTimeout(() => abort.abort(), 100)),
		};
		await expect(driver.suspend(web.record, web.place, {by: 'user'}, work)).rejects.toMatchObject({
			code: 'operation.cancelled',
		});
		expect(await web.power(driver)).toBe('running');
		expect(web.record.suspended).toBeUndefined();
	});
});
