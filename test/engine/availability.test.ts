import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {capabilities} from '../../source/drivers/capabilities.ts';
import {driversOn} from '../../source/drivers/platforms.ts';
import {
	type Availability,
	availability,
	defaultMountType,
	instanceActions,
	nativeMountProblem,
} from '../../source/engine/availability.ts';
import {driverNames, type Platform} from '../../source/model/driver-name.ts';
import {type InstanceState, instanceStates} from '../../source/model/state.ts';
import {decide, type TransitionAction} from '../../source/model/transitions.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';

const qemu = fakeDriver('qemu');

function refusal(answer: Availability): Extract<Availability, {can: false}> {
	expect(answer.can).toBe(false);
	return answer as Extract<Availability, {can: false}>;
}

describe('availability', () => {
	test('is an answer for every driver, platform, action and state; every no has a reason', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...driverNames),
				fc.constantFrom<Platform>('linux', 'darwin', 'win32'),
				fc.constantFrom(...instanceActions),
				fc.constantFrom(...instanceStates),
				fc.boolean(),
				(name, platform, action, state, usable) => {
					const driver = fakeDriver(name, {
						capabilities: capabilities(name, platform),
						health: {...qemu.health, usable, summary: 'no KVM'},
					});
					const answer = availability(action, fakeInstance('web', state), driver);
					if (answer.can) return;
					expect(['not-here', 'not-now', 'not-yet']).toContain(answer.kind);
					expect(answer.reason).toMatch(/^\S.*[^.\s]$/);
					expect(answer.reason).not.toMatch(/undefined|\[object/);
					for (const other of answer.drivers ?? []) {
						expect(other).not.toBe(name);
						expect(driversOn(platform)).toContain(other);
					}
					// What is to be done first must itself be possible, or the hint leads nowhere.
					if (answer.first !== undefined && usable) {
						expect(availability(answer.first, fakeInstance('web', state), driver)).toEqual({can: true});
					}
				},
			),
			{numRuns: 2000},
		);
	});

	test('what the driver cannot do is said before the state is looked at', () => {
		const lxd = fakeDriver('lxd');
		for (const state of instanceStates) {
			expect(refusal(availability('suspend', fakeInstance('web', state), lxd))).toEqual({
				can: false,
				kind: 'not-here',
				reason: 'not supported by LXD; supported by QEMU, libvirt, VirtualBox',
				drivers: ['qemu', 'libvirt'],
			});
		}
	});

	test('what the driver could, but drover does not yet, is told apart from what the driver cannot', () => {
		const web = fakeInstance('web', 'Stopped');
		expect(refusal(availability('snapshot', web, qemu)).kind).toBe('not-yet');
		expect(refusal(availability('snapshot', web, fakeDriver('libvirt'))).kind).toBe('not-here');
		expect(refusal(availability('networks', web, qemu)).reason).toContain('QEMU on Linux');
	});

	test('mounts, networks and resources: what the driver could but this version does not is said for that driver', () => {
		const web = fakeInstance('web', 'Stopped');
		expect(refusal(availability('edit', web, qemu)).reason).toMatch(/not in this version of drover for QEMU$/);
		expect(refusal(availability('networks', web, fakeDriver('virtualbox')))).toMatchObject({
			kind: 'not-yet',
			reason: 'extra networks are not in this version of drover for VirtualBox',
		});
		for (const action of ['mounts', 'networks', 'edit'] as const) {
			expect(availability(action, web, fakeDriver('lxd'))).toEqual({can: true});
		}
	});

	test('a snapshot is taken at rest, or while it runs where the driver can; never of one with saved memory', () => {
		const able = fakeDriver('qemu', {features: ['snapshots', 'clone'], snapshotsLive: true});
		const atRest = fakeDriver('qemu', {features: ['snapshots', 'clone']});
		for (const action of ['snapshot', 'duplicate'] as const) {
			expect(availability(action, fakeInstance('web', 'Stopped'), able)).toEqual({can: true});
			expect(refusal(availability(action, fakeInstance('web', 'Suspended'), able)).first).toBe('start');
			expect(refusal(availability(action, fakeInstance('web', 'Deleted'), able)).first).toBe('recover');
		}
		expect(availability('snapshot', fakeInstance('web', 'Running'), able)).toEqual({can: true});
		expect(refusal(availability('snapshot', fakeInstance('web', 'Running'), atRest))).toMatchObject({
			reason: 'only while it is stopped: stop it first',
			first: 'stop',
		});
		expect(refusal(availability('duplicate', fakeInstance('web', 'Running'), able)).first).toBe('stop');
		expect(availability('duplicate', fakeInstance('web', 'Stopped'), fakeDriver('lxd'))).toEqual({can: true});
	});

	test('mounts are there under every driver; those of type native where driver and version have them', () => {
		const web = fakeInstance('web', 'Stopped');
		for (const driver of [qemu, fakeDriver('libvirt'), fakeDriver('lxd')]) {
			expect(availability('mounts', web, driver)).toEqual({can: true});
		}
		expect(nativeMountProblem(qemu)).toBe('native mounts are not in this version of drover for QEMU');
		expect(nativeMountProblem(fakeDriver('libvirt'))).toBe(
			'native mounts are not supported by libvirt; supported by QEMU, LXD, Hyper-V',
		);
		const plugging = fakeDriver('qemu', {features: ['plug']});
		expect(nativeMountProblem(plugging)).toBeUndefined();
		expect([qemu, plugging, fakeDriver('libvirt'), fakeDriver('lxd')].map(defaultMountType)).toEqual([
			'classic',
			'classic',
			'classic',
			'native',
		]);
	});

	test('mounts go on at any time; hardware is changed at rest, or while it runs where the driver can', () => {
		const lxd = fakeDriver('lxd');
		const running = fakeInstance('web', 'Running');
		expect(availability('mounts', running, lxd)).toEqual({can: true});
		expect(availability('edit', running, lxd)).toEqual({can: true});
		expect(refusal(availability('networks', running, lxd)).first).toBe('stop');
		expect(refusal(availability('edit', running, fakeDriver('lxd', {resizesLive: []}))).first).toBe('stop');
		expect(refusal(availability('edit', fakeInstance('web', 'Suspended'), lxd)).first).toBe('start');
		for (const action of ['mounts', 'networks', 'edit'] as const) {
			expect(refusal(availability(action, fakeInstance('web', 'Deleted'), lxd)).first).toBe('recover');
			expect(availability(action, fakeInstance('web', 'Starting'), lxd).can).toBe(false);
			expect(availability(action, fakeInstance('web', 'Broken'), lxd).can).toBe(false);
		}
	});

	test('on a driver that cannot be used only what needs none of it is possible', () => {
		const broken = fakeDriver('qemu', {
			health: {...qemu.health, usable: false, summary: 'qemu-system-x86_64 not found'},
		});
		for (const action of instanceActions) {
			for (const state of ['Stopped', 'Deleted'] as const) {
				const answer = availability(action, fakeInstance('web', state), broken);
				if (answer.can) expect(['recover', 'delete']).toContain(action);
			}
		}
		expect(refusal(availability('start', fakeInstance('web', 'Stopped'), broken)).reason).toBe(
			'QEMU cannot be used: qemu-system-x86_64 not found',
		);
		expect(availability('delete', fakeInstance('web', 'Stopped'), broken)).toEqual({can: true});
		expect(availability('recover', fakeInstance('web', 'Deleted'), broken)).toEqual({can: true});
	});

	test('agrees with the table of transitions wherever nothing else stands in the way', () => {
		const actions: readonly TransitionAction[] = ['start', 'stop', 'restart', 'suspend', 'delete', 'recover', 'purge'];
		for (const action of actions) {
			for (const state of instanceStates) {
				const decision = decide(action, state);
				const answer = availability(action, fakeInstance('web', state), qemu);
				expect(answer.can, `${action} ${state}`).toBe(decision.kind === 'do');
				if (decision.kind === 'refuse') expect(refusal(answer).reason).toContain(decision.reason);
				if (decision.kind === 'nothing') expect(refusal(answer).reason).toBe(decision.note);
			}
		}
	});

	test('a shell needs a guest that is up, and says how to get there', () => {
		const shell = (state: InstanceState) => availability('shell', fakeInstance('web', state), qemu);
		expect(shell('Running')).toEqual({can: true});
		expect(shell('Delayed Shutdown')).toEqual({can: true});
		for (const state of ['Stopped', 'Suspended'] as const) expect(refusal(shell(state)).first).toBe('start');
		expect(refusal(shell('Deleted')).reason).toBe('not while it is Deleted');
		expect(refusal(shell('Starting')).first).toBeUndefined();
	});

	test('what a deleted instance needs first is to be recovered', () => {
		expect(refusal(availability('start', fakeInstance('web', 'Deleted'), qemu))).toMatchObject({
			kind: 'not-now',
			reason: 'it is deleted: recover it first',
			first: 'recover',
		});
	});
});
