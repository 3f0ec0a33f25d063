import {mkdtemp, readdir, rename, stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Driver} from '../../../source/drivers/driver.ts';
import {createVirtualBoxDriver} from '../../../source/drivers/virtualbox/driver.ts';
import {machineName} from '../../../source/drivers/virtualbox/files.ts';
import {diskSize} from '../../../source/drivers/virtualbox/resize.ts';
import {mebibyte} from '../../../source/model/sizes.ts';
import {locate} from '../../../source/state/paths.ts';
import {Subject} from '../../contract/subject.ts';
import {microImage} from '../../support/micro-image.ts';
import {type RealVirtualBox, realVirtualBox} from '../../support/virtualbox/real.ts';

const real = await realVirtualBox();

if (typeof real === 'string') {
	describe(`the driver on the real VBoxManage (${real})`, () => test.skip('needs the real one', () => {}));
} else {
	describe('the driver on the real VBoxManage, with machines that cannot run', {timeout: 240_000}, () => suite(real));
}

function suite(virtualBox: RealVirtualBox): void {
	let driver: Driver;
	let web: Subject;
	let clone: Subject;

	const ask = async (...args: string[]) => (await execa(virtualBox.program, args, {timeout: 60_000})).stdout;
	const make = async (name: string) => {
		const home = await mkdtemp(path.join(virtualBox.directory, 'home-'));
		return Subject.make(locate({DROVER_HOME: home}, 'linux'), await microImage(), name, 'virtualbox');
	};

	beforeAll(async () => {
		web = await make('web');
		// VBoxManage sees this directory and no other: the image has to be in it.
		const image = path.join(virtualBox.directory, 'image.qcow2');
		await execa('cp', [web.image.path, image]);
		Object.assign(web, {image: {...web.image, path: image}});
		clone = await make('other');
		driver = createVirtualBoxDriver({
			paths: web.paths,
			program: virtualBox.program,
			host: {platform: 'darwin', architecture: 'x64', environment: process.env},
		});
	}, 240_000);
	afterAll(() => virtualBox.close(), 60_000);

	test('it is found and says that it is experimental', async () => {
		expect(await driver.health()).toMatchObject({
			installed: true,
			usable: true,
			version: expect.stringMatching(/^7\./),
			summary: expect.stringMatching(/Experimental/),
		});
	});

	test('a machine is made, twice over, with a disk of the wanted size', async () => {
		await web.create(driver);
		const disk = path.join(web.place.directory, 'disk.vdi');
		const before = await stat(disk);
		expect(before.mode & 0o077).toBe(0);
		expect(await diskSize(disk)).toBe(web.record.hardware.disk);
		await web.create(driver);
		expect((await stat(disk)).ino).toBe(before.ino);
		expect(await web.power(driver)).toBe('off');
		const info = await ask('showvminfo', web.record.id, '--machinereadable');
		expect(info).toContain(`"IDE-0-0"="${disk}"`);
		expect(info).toContain(`"IDE-1-0"="${path.join(web.place.directory, 'seed.iso')}"`);
		expect(info).toContain(`macaddress1="${web.record.hardware.mac.replaceAll(':', '').toUpperCase()}"`);
		expect(info).toContain(`uartmode1="file,${path.join(web.place.directory, 'console.log')}"`);
		expect(info).toMatch(/^memory=256$/m);
		// The image in the cache is not left in VirtualBox's list of media.
		expect(await ask('list', 'hdds')).not.toContain('image.qcow2');
	});

	test('what is off is not stopped, suspended or rebooted', async () => {
		await web.stop(driver);
		await web.powerOff(driver);
		await expect(web.suspend(driver)).rejects.toMatchObject({code: 'instance.state'});
		await expect(driver.reboot(web.record, web.place, web.work())).rejects.toMatchObject({code: 'instance.state'});
	});

	test('a start fails with the reason, and the port’s rule is there', async () => {
		await expect(web.start(driver)).rejects.toMatchObject({
			code: 'driver.failed',
			message: expect.stringMatching(/kernel driver is not loaded/),
		});
		expect(await web.power(driver)).toBe('off');
		const info = await ask('showvminfo', web.record.id, '--machinereadable');
		expect(info).toContain(`"drover-ssh,tcp,127.0.0.1,${web.record.ssh.port},,22"`);
	});

	test('hardware is changed, and the disk never shrinks', async () => {
		const wanted = {cpus: 2, memory: 320 * mebibyte, disk: 1024 * mebibyte};
		const record = {...web.record, hardware: {...web.record.hardware, ...wanted}};
		await driver.resize!(record, web.place, wanted, web.work());
		await driver.resize!(record, web.place, wanted, web.work());
		web.record = record;
		expect(await ask('showvminfo', record.id, '--machinereadable')).toMatch(/^memory=320$[\s\S]*^cpus=2$/m);
		expect(await diskSize(path.join(web.place.directory, 'disk.vdi'))).toBe(wanted.disk);
		await expect(driver.resize!(record, web.place, {disk: mebibyte}, web.work())).rejects.toMatchObject({
			code: 'instance.invalid',
		});
	});

	test('networks are told, and a card is put on one that is there only', async () => {
		const networks = await driver.networks!();
		const nic = (network: string, last: string) => ({network, mac: `52:54:00:aa:00:${last}`, mode: 'auto' as const});
		await expect(driver.addNic!(web.record, web.place, nic('nosuch0', '01'), web.work())).rejects.toMatchObject({
			code: 'instance.invalid',
		});
		const [first] = networks;
		if (first === undefined) return;
		await driver.addNic!(web.record, web.place, nic(first.name, '02'), web.work());
		await driver.addNic!(web.record, web.place, nic(first.name, '02'), web.work());
		const info = await ask('showvminfo', web.record.id, '--machinereadable');
		expect(info).toContain(`bridgeadapter2="${first.name}"`);
		expect(info).toContain('macaddress2="525400AA0002"');
		expect(info).toContain('nic3="none"');
	});

	test('a clone has a machine and a disk of its own', async () => {
		clone.record = {...clone.record, hardware: {...web.record.hardware, mac: clone.record.hardware.mac}};
		await clone.cloneOf(driver, web);
		expect(await clone.power(driver)).toBe('off');
		const [one, other] = [web, clone].map(({place}) => path.join(place.directory, 'disk.vdi')) as [string, string];
		expect((await execa('qemu-img', ['compare', one, other], {reject: false})).exitCode).toBe(0);
	});

	test('saved memory: seen, told apart, and never passed over or lost', async () => {
		const state = path.join(web.place.directory, 'memory.sav');
		await writeFile(state, '\x7fVirtualBox SavedState V2.0\n'.padEnd(4096, '\0'), 'latin1');
		await ask('adoptstate', web.record.id, state);
		expect(await web.power(driver)).toBe('suspended');
		// Saved by somebody else: the stamp is made from what is there.
		const stamp = await web.suspend(driver);
		expect(stamp).toMatchObject({driver: 'virtualbox', size: 4096, machine: 'piix3'});
		expect(await web.suspend(driver)).toEqual(stamp);
		await expect(web.stop(driver)).rejects.toMatchObject({code: 'instance.state'});
		await expect(clone.cloneOf(driver, web)).resolves.toBeUndefined();
		await expect(driver.resize!(web.record, web.place, {cpus: 1}, web.work())).rejects.toMatchObject({
			code: 'instance.state',
			message: expect.stringMatching(/its memory belongs to the hardware/),
		});
		expect(await driver.loadProblem!(web.record, web.place)).toBeUndefined();
		await expect(web.start(driver)).rejects.toMatchObject({
			code: 'instance.broken',
			message: expect.stringMatching(/VirtualBox cannot load it/),
		});
		await rename(state, `${state}.away`);
		expect(await driver.loadProblem!(web.record, web.place)).toBe('its file is missing');
		await expect(web.start(driver)).rejects.toMatchObject({message: expect.stringMatching(/missing/)});
		await rename(`${state}.away`, state);
		expect(await web.power(driver)).toBe('suspended');
		await web.powerOff(driver);
		expect(web.record.suspended).toBeUndefined();
		expect(await web.power(driver)).toBe('off');
	});

	test('a lock of another program is waited for', async () => {
		const record = {...web.record, hardware: {...web.record.hardware, cpus: 1}};
		const others = Array.from({length: 6}, (_, index) =>
			ask('setextradata', record.id, 'drover/test', String(index)).catch(() => ''),
		);
		await driver.resize!(record, web.place, {cpus: 1}, web.work());
		await Promise.all(others);
		web.record = record;
	});

	test('one whose settings are gone is broken, and can be destroyed', async () => {
		const lost = await make('lost');
		lost.record = {
			...lost.record,
			phase: 'ready',
			hardware: {...web.record.hardware, mac: lost.record.hardware.mac},
		};
		await clone.cloneOf(driver, web);
		await lost.cloneOf(driver, web);
		await rename(path.join(lost.place.directory, machineName(lost.record)), path.join(lost.place.directory, 'away'));
		await virtualBox.forget();
		expect(await lost.observe(driver)).toMatchObject({
			power: 'unusable',
			reason: 'VirtualBox cannot read the settings of its machine',
		});
		await expect(lost.start(driver)).rejects.toMatchObject({code: 'instance.broken'});
		expect(await clone.power(driver)).toBe('off');
		await driver.destroy(lost.record, lost.place, lost.work());
		expect(await ask('list', 'vms')).not.toContain(lost.record.id);
	});

	test('destroying leaves nothing in VirtualBox’s lists, and the files to the engine', async () => {
		for (const subject of [web, clone]) {
			await driver.destroy(subject.record, subject.place, subject.work());
			await driver.destroy(subject.record, subject.place, subject.work());
		}
		expect(await ask('list', 'vms')).toBe('');
		expect(await ask('list', 'hdds')).toBe('');
		expect(await ask('list', 'dvds')).toBe('');
		expect(await readdir(web.place.directory)).toEqual(expect.arrayContaining(['disk.vdi', 'seed.iso']));
		expect(await driver.strangers!(new Set())).toEqual([]);
	});
}
