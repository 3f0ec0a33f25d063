import {readFile} from 'node:fs/promises';
import {expect, test} from 'vitest';
import {sshConfigFile} from '../../source/guest/ssh-config.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';

async function withWeb(isDirect: boolean) {
	const hypervisor = new SimulatedHypervisor();
	if (isDirect) hypervisor.offers.set('lxd', ['direct']);
	const answers = {ssh: true};
	const {engine} = await simulatedEngine(scratchPaths(), {hypervisor, driver: 'lxd', answers: () => answers.ssh});
	await engine.wait({id: (await engine.launch({name: 'web', by})).id});
	return {engine, hypervisor, answers};
}

test('SSH where it answers', async () => {
	const {engine} = await withWeb(true);
	expect(await engine.access({name: 'web'})).toMatchObject({kind: 'ssh', ssh: {host: '127.0.0.1', port: 22_000}});
});

test('by way of the hypervisor where no server answers, or there is no address', async () => {
	const {engine, hypervisor, answers} = await withWeb(true);
	answers.ssh = false;
	expect(await engine.access({name: 'web'})).toMatchObject({
		kind: 'lxd',
		direct: {name: 'web', user: 'ubuntu'},
		reason: 'its SSH server does not answer',
	});
	hypervisor.sshOf = () => undefined;
	await engine.refresh();
	expect(await engine.access({name: 'web'})).toMatchObject({
		kind: 'lxd',
		reason: 'it has no address that can be reached from here',
	});
	await expect(engine.ssh({name: 'web'})).rejects.toMatchObject({code: 'guest.unanswered'});
});

test('a driver with no other way is not asked for one, nor its guest for a banner', async () => {
	const {engine, answers, hypervisor} = await withWeb(false);
	answers.ssh = false;
	expect(await engine.access({name: 'web'})).toMatchObject({kind: 'ssh'});
	hypervisor.sshOf = () => undefined;
	await engine.refresh();
	await expect(engine.access({name: 'web'})).rejects.toMatchObject({code: 'guest.unanswered'});
});

test('only into a guest that is up', async () => {
	const {engine} = await withWeb(true);
	await engine.wait({id: (await engine.act({action: 'stop', names: ['web'], by})).id});
	await expect(engine.access({name: 'web'})).rejects.toMatchObject({
		code: 'instance.state',
		next: 'drover start web starts it.',
	});
	await engine.wait({id: (await engine.act({action: 'delete', names: ['web'], by})).id});
	await expect(engine.access({name: 'web'})).rejects.toMatchObject({code: 'instance.deleted'});
});

test('plain ssh reaches a guest by the address it has now, where no port is kept for it', async () => {
	const paths = scratchPaths();
	const {engine, hypervisor} = await simulatedEngine(paths, {driver: 'lxd'});
	hypervisor.sshOf = () => ({host: '10.97.0.7', port: 22});
	await engine.wait({id: (await engine.launch({name: 'web', by})).id});
	const config = () => readFile(sshConfigFile(paths), 'utf8').catch(() => '');
	await until(config, text => /Host web\.drover\n\tHostName 10\.97\.0\.7\n\tPort 22\n/.test(text));
	hypervisor.sshOf = () => undefined;
	await engine.refresh();
	await until(config, text => !text.includes('web.drover'));
});
