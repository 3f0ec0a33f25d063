import {describe, expect, test} from 'vitest';
import type {Workshop} from '../../source/engine/workshop.ts';
import {DroverError} from '../../source/model/errors.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const never = () => new Promise<void>(() => {});

/** An engine whose guests answer at the addresses in `listening`; everything that was asked is in `asked`. */
async function house({isDirect = true, directAfterMs = 60_000}: {isDirect?: boolean; directAfterMs?: number} = {}) {
	const hypervisor = new SimulatedHypervisor();
	if (isDirect) hypervisor.offers.set('lxd', ['answers', 'direct', 'execute']);
	const listening = new Set<string>();
	const asked: string[] = [];
	const workshop: Partial<Workshop> = {
		directAfterMs,
		async waitForAnswer({host, port, signal, timeoutMs}) {
			asked.push(`${host}:${port}`);
			const deadline = Date.now() + timeoutMs;
			while (!listening.has(host)) {
				signal.throwIfAborted();
				if (Date.now() >= deadline) throw new DroverError('guest.unanswered', 'no answer');
				await new Promise(resolve => setTimeout(resolve, 5));
			}
			return `SSH-2.0-${host}`;
		},
		tryAnswer: async ({host}) => (listening.has(host) ? 'SSH-2.0' : undefined),
	};
	const {engine} = await simulatedEngine(scratchPaths(), {hypervisor, driver: 'lxd', workshop});
	const at = (host: string | undefined) => {
		hypervisor.sshOf = () => (host === undefined ? undefined : {host, port: 22});
	};
	const launch = async (answerTimeout = 20) => (await engine.launch({name: 'web', answerTimeout, by})).id;
	const started = () =>
		until(
			() => hypervisor.calls,
			calls => calls.includes('start web'),
		);
	const log = async (id: string) => (await engine.operationLog({id})).map(line => line.text);
	const state = async () => (await engine.list())[0]?.state;
	return {engine, hypervisor, listening, asked, at, launch, started, log, state};
}

describe('a guest that has just been started', () => {
	test('has its address only later, and is waited for there', async () => {
		const {at, launch, started, listening, engine, log, asked, state} = await house();
		at(undefined);
		listening.add('10.0.0.7');
		const id = await launch();
		await started();
		expect(asked).toEqual([]);
		at('10.0.0.7');
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
		expect(await log(id)).toContain('the guest answered: SSH-2.0-10.0.0.7');
		expect(await state()).toBe('Running');
	});

	test('gets another address meanwhile: the old one is given up', async () => {
		const {at, launch, engine, listening, asked} = await house();
		at('10.0.0.1');
		const id = await launch();
		await until(
			() => asked,
			all => all.length === 1,
		);
		at('10.0.0.2');
		listening.add('10.0.0.2');
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
		expect(asked).toEqual(['10.0.0.1:22', '10.0.0.2:22']);
	});

	test.each([
		['no address', undefined],
		['no SSH server', '10.0.0.1'],
	])('and has %s is asked by way of the hypervisor after a while', async (_what, host) => {
		const {at, launch, engine, hypervisor, log, state} = await house({directAfterMs: 20});
		at(host);
		let tries = 0;
		hypervisor.parts.answers = () => (++tries < 2 ? undefined : 'the container answers');
		const id = await launch();
		expect(await engine.wait({id})).toMatchObject({state: 'done'});
		expect(tries).toBe(2);
		expect(await log(id)).toContain(
			'the container answers, no SSH server does: shell and exec go by way of the hypervisor',
		);
		expect(await state()).toBe('Running');
	});

	test('is not asked that way while it may still answer on SSH, nor under a driver that has no other', async () => {
		for (const isDirect of [true, false]) {
			const {at, launch, engine, hypervisor, listening, asked} = await house({isDirect, directAfterMs: 60_000});
			at('10.0.0.1');
			hypervisor.parts.answers = () => 'the container answers';
			const id = await launch();
			await until(
				() => asked,
				all => all.length === 1,
			);
			listening.add('10.0.0.1');
			await engine.wait({id});
			expect(hypervisor.calls).not.toContain('answers web');
		}
	});

	test('and never gets an address is Unknown when the time is over, and heals', async () => {
		const {at, launch, engine, state, hypervisor} = await house();
		at(undefined);
		const id = await launch(0.1);
		expect(await engine.wait({id})).toMatchObject({
			state: 'failed',
			error: {
				code: 'guest.unanswered',
				message: 'web: timed out waiting for response: the guest got no address that can be reached from here in 0.1 s',
			},
		});
		await engine.refresh();
		expect(await state()).toBe('Unknown');
		hypervisor.parts.answers = () => 'the container answers';
		await engine.refresh();
		expect(await state()).toBe('Running');
	});

	test('and powers itself off before it has one ends the wait at once', async () => {
		const {at, launch, started, engine, hypervisor} = await house();
		at(undefined);
		const id = await launch();
		await started();
		hypervisor.machines.clear();
		expect(await engine.wait({id})).toMatchObject({state: 'failed', error: {code: 'guest.failed'}});
		expect(await engine.list()).toEqual([]);
	});

	test('can be cancelled while it is asked by way of the hypervisor', async () => {
		const {at, launch, engine, hypervisor} = await house({directAfterMs: 5});
		at(undefined);
		hypervisor.before.set('answers', never);
		const id = await launch();
		await until(
			() => hypervisor.calls,
			calls => calls.includes('answers web'),
		);
		await engine.cancel({id, by});
		expect(await engine.wait({id})).toMatchObject({state: 'cancelled'});
		expect(await engine.list()).toEqual([]);
	});
});

test('a guest that is silent does not hold up the looking at others', async () => {
	const {at, launch, engine, hypervisor, state} = await house();
	at(undefined);
	await engine.wait({id: await launch(0.05)});
	hypervisor.before.set('answers', never);
	await engine.refresh();
	expect(await state()).toBe('Unknown');
});
