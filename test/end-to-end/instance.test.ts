import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {until} from '../support/engine.ts';
import {Program} from '../support/program.ts';

/** What a person does with an instance, through the built program on real QEMU. Each step goes on from the one before. */
describe('an instance from the command line', () => {
	let drover: Program;
	let bootId: string;

	beforeAll(async () => {
		drover = await Program.open();
	});
	afterAll(async () => {
		await drover.close();
	});

	const counter = async () => Number(await drover.ok('exec', 'web', '--', 'cat', '/tmp/counter'));

	test('launch: it is running and answers with the key drover gave it', async () => {
		expect(await drover.ok('launch', 'micro', '--name', 'web')).toContain('Launched: web');
		expect(await drover.states()).toEqual({web: 'Running'});
		expect(drover.machines()).toHaveLength(1);
		bootId = await drover.bootId('web');
		expect(bootId).toMatch(/^[\da-f-]{36}$/);
	});

	test('exec: arguments arrive literally, exit codes come back', async () => {
		expect(await drover.ok('exec', 'web', '--', 'printf', '%s|', 'a b', '$x', "it's")).toBe("a b|$x|it's|");
		expect((await drover.run('exec', 'web', '--', 'sh', '-c', 'exit 7')).code).toBe(7);
	});

	test('suspend and start: the same boot, a process goes on counting, the clock is right', async () => {
		await drover.ok(
			'exec',
			'web',
			'--',
			'sh',
			'-c',
			'(n=0; while true; do n=$((n+1)); echo $n > /tmp/c; mv /tmp/c /tmp/counter; sleep 0.1; done) > /dev/null 2>&1 &',
		);
		const before = await until(counter, count => count > 3, 20_000);
		await drover.ok('suspend', 'web');
		expect(await drover.states()).toEqual({web: 'Suspended'});
		expect(drover.machines()).toEqual([]);
		await new Promise(resolve => setTimeout(resolve, 3000));
		await drover.ok('start', 'web');
		expect(await drover.bootId('web')).toBe(bootId);
		const after = await counter();
		expect(after).toBeGreaterThanOrEqual(before);
		await until(counter, count => count > after, 20_000);
		const guestTime = Number(await drover.ok('exec', 'web', '--', 'date', '+%s'));
		expect(Math.abs(guestTime - Date.now() / 1000)).toBeLessThan(2.5);
	});

	test('stop and start: another boot', async () => {
		await drover.ok('stop', 'web');
		expect(await drover.states()).toEqual({web: 'Stopped'});
		await drover.ok('start', 'web');
		const next = await drover.bootId('web');
		expect(next).not.toBe(bootId);
		bootId = next;
	});

	test('a name in use, an unknown one and a missing one are each told in a sentence', async () => {
		expect(await drover.run('launch', 'micro', '--name', 'web')).toMatchObject({
			code: 2,
			stderr: expect.stringContaining('instance "web" already exists'),
		});
		expect(await drover.run('start', 'nosuch')).toMatchObject({
			code: 2,
			stderr: expect.stringContaining('instance "nosuch" does not exist'),
		});
		expect((await drover.run('launch', '--name', '-x')).code).not.toBe(0);
		expect(await drover.states()).toEqual({web: 'Running'});
	});

	test('delete, recover, start, purge: nothing is left over', async () => {
		await drover.ok('delete', 'web');
		expect(await drover.states()).toEqual({web: 'Deleted'});
		await drover.ok('recover', 'web');
		expect(await drover.states()).toEqual({web: 'Stopped'});
		await drover.ok('delete', 'web');
		await drover.ok('purge');
		expect(await drover.states()).toEqual({});
		expect(drover.machines()).toEqual([]);
	});
});
