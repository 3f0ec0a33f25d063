import {expect, onTestFinished, test} from 'vitest';
import type {GuestAccess} from '../../source/model/guest-access.ts';
import {Place} from './support/place.ts';

test('a shell by way of the hypervisor is the program itself, with the whole terminal, and comes back', async () => {
	const place = await Place.open(3);
	onTestFinished(() => place[Symbol.asyncDispose]());
	const access: GuestAccess = {
		kind: 'lxd',
		direct: {
			name: 'vm-01',
			// Nobody is there: what the program says about that has left the screen when the dashboard is back.
			endpoint: {kind: 'socket', path: `${place.home}/nobody.socket`},
			project: 'drover',
			instance: 'vm-01',
			user: 'ubuntu',
		},
		reason: 'its SSH server does not answer',
	};
	place.engine.accessOf = () => access;
	using terminal = await place.dashboard();
	terminal.type('c');
	await terminal.waitFor(text => terminal.isAlternate && text.includes('Back from vm-01 (exit code 2).'));
	expect(terminal.raw).toContain(
		'drover: shell in vm-01 by way of LXD, because its SSH server does not answer; exit comes back',
	);
	expect(terminal.raw).toContain('nobody.socket');
	terminal.type('j');
	await terminal.waitFor('> vm-02');
});
