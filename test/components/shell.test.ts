import {describe, expect, test} from 'vitest';
import {openShell, shellCommand} from '../../source/components/shell.ts';
import type {Message} from '../../source/components/store/model.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {GuestAccess} from '../../source/model/guest-access.ts';

const program = {node: '/usr/bin/node', entry: '/opt/drover/dist/drover.js'};

const bySsh: GuestAccess = {
	kind: 'ssh',
	ssh: {
		name: 'web',
		host: '127.0.0.1',
		port: 40000,
		user: 'ubuntu',
		identityFile: '/data/ssh/id',
		knownHostsFile: '/data/ssh/known_hosts',
		hostKeyAlias: 'web.drover',
	},
};
const byLxd: GuestAccess = {
	kind: 'lxd',
	direct: {
		name: 'web',
		endpoint: {kind: 'socket', path: '/var/lib/lxd/unix.socket'},
		project: 'drover',
		instance: 'web',
		user: 'ubuntu',
	},
	reason: 'its SSH server\u001B[2J does not answer',
};

/** Opens a shell with an engine that says how, and a terminal that is given back with a code. */
async function opened(access: () => Promise<GuestAccess>, run: () => Promise<number> = async () => 0) {
	const messages: Message[] = [];
	const runs: Array<readonly [string, readonly string[], string]> = [];
	await openShell('web', {
		engine: () => ({access}),
		async run(...call) {
			runs.push(call);
			return run();
		},
		dispatch: message => messages.push(message),
		now: () => 7,
		program,
	});
	return {messages, runs};
}

describe('the command', () => {
	test('is ssh where the guest answers there', async () => {
		const {command, args, banner} = await shellCommand('web', bySsh, program);
		expect(command).toBe('ssh');
		expect(args).toEqual(expect.arrayContaining(['-p', '40000', '-l', 'ubuntu', '127.0.0.1']));
		expect(banner).toBe('drover: shell in web; exit comes back\r\n');
	});

	test('is the program itself where only the hypervisor leads in, as separate words, and says why', async () => {
		const {command, args, banner} = await shellCommand('web', byLxd, program);
		expect([command, ...args]).toEqual(['/usr/bin/node', '/opt/drover/dist/drover.js', 'shell', 'web']);
		expect(banner).toBe(
			'drover: shell in web by way of LXD, because its SSH server does not answer; exit comes back\r\n',
		);
	});
});

describe('the end', () => {
	test.each([
		['ssh', bySsh, 3, 'Back from web.'],
		['lxd', byLxd, 0, 'Back from web.'],
		['lxd', byLxd, 2, 'Back from web (exit code 2).'],
	] as const)('by %s is told', async (_, access, code, text) => {
		const {messages, runs} = await opened(
			async () => access,
			async () => code,
		);
		expect(runs).toHaveLength(1);
		expect(messages).toEqual([{type: 'toast', text, level: 'info'}]);
	});

	test('of an ssh that did not get there is a failure', async () => {
		const {messages} = await opened(
			async () => bySsh,
			async () => 255,
		);
		expect(messages).toMatchObject([
			{type: 'failed', error: {message: expect.stringContaining('could not reach web')}},
		]);
	});

	test('of a guest that cannot be entered is the reason, and the terminal stays here', async () => {
		const {messages, runs} = await opened(async () => {
			throw new DroverError('instance.state', 'instance "web" is not running');
		});
		expect(runs).toEqual([]);
		expect(messages).toMatchObject([{type: 'failed', what: 'shell web', error: {code: 'instance.state'}, at: 7}]);
	});

	test('of a machine without ssh names what is missing', async () => {
		const {messages} = await opened(
			async () => bySsh,
			() => Promise.reject(Object.assign(new Error('spawn ssh'), {code: 'ENOENT'})),
		);
		expect(messages).toMatchObject([{error: {next: 'Install OpenSSH.'}}]);
	});
});
