import {spawnSync} from 'node:child_process';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {remoteCommand, sshArguments} from '../../source/guest/ssh-command.ts';
import type {SshAccess} from '../../source/model/ssh-access.ts';

const access: SshAccess = {
	name: 'web',
	host: '127.0.0.1',
	port: 40123,
	user: 'ubuntu',
	identityFile: '/data/ssh/id_ed25519',
	knownHostsFile: '/data/ssh/known_hosts',
	hostKeyAlias: '0f5c.drover',
};

/** What the real client makes of the arguments: `ssh -G` prints its settings and connects to nothing. */
function settingsOf(args: readonly string[]): Map<string, string> {
	const {stdout, stderr, status} = spawnSync('ssh', ['-G', ...args], {encoding: 'utf8'});
	expect(stderr).toBe('');
	expect(status).toBe(0);
	return new Map(
		stdout
			.trim()
			.split('\n')
			.map(line => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
	);
}

/** The arguments a program gets when a shell runs the line. */
function argumentsIn(shellLine: string): string[] {
	const {stdout, status} = spawnSync('sh', ['-c', shellLine], {encoding: 'buffer'});
	expect(status).toBe(0);
	return stdout.toString('utf8').split('\0').slice(0, -1);
}

describe('sshArguments', () => {
	test('the real client reads them as meant', () => {
		const settings = settingsOf(sshArguments(access, {connectTimeoutSeconds: 3}));
		expect(Object.fromEntries(settings)).toMatchObject({
			hostname: '127.0.0.1',
			port: '40123',
			user: 'ubuntu',
			identityfile: '/data/ssh/id_ed25519',
			userknownhostsfile: '/data/ssh/known_hosts',
			hostkeyalias: '0f5c.drover',
			identitiesonly: 'yes',
			stricthostkeychecking: 'true',
			batchmode: 'yes',
			connecttimeout: '3',
			serveraliveinterval: '15',
			loglevel: 'ERROR',
		});
	});

	test.each(['/home/kim doe/a  b', '/home/100%/%h%d', '/ho"me/o\'brien', '/back\\slash/x\\', '/tilde/~/$HOME/#x'])(
		'survives the path %s',
		directory => {
			const identityFile = `${directory}/id`;
			const knownHostsFile = `${directory}/known_hosts`;
			const settings = settingsOf(sshArguments({...access, identityFile, knownHostsFile}));
			// ssh prints the file names as configured: `%%` is expanded only when it opens them.
			expect(settings.get('identityfile')?.replaceAll('%%', '%')).toBe(identityFile);
			expect(settings.get('userknownhostsfile')?.replaceAll('%%', '%')).toBe(knownHostsFile);
		},
	);

	test('refuses a path that ssh has no way to write', () => {
		expect(() => sshArguments({...access, identityFile: '/a\nb'})).toThrow(/cannot be told/);
		expect(() => sshArguments({...access, identityFile: '/a/$' + '{HOME}'})).toThrow(/cannot be told/);
	});

	test('an option in the command is the command’s', () => {
		const args = sshArguments(access, {command: ['-oProxyCommand=touch /tmp/x', '-v']});
		expect(settingsOf(args).has('proxycommand')).toBe(false);
		expect(args.at(-2)).toBe('--');
	});

	test('asks for a terminal only when told', () => {
		expect(settingsOf(sshArguments(access)).get('requesttty')).toBe('auto');
		expect(settingsOf(sshArguments(access, {tty: true})).get('requesttty')).toBe('true');
		expect(settingsOf(sshArguments(access, {tty: false, command: ['ls']})).get('requesttty')).toBe('false');
	});

	test('a login shell has no command line', () => {
		expect(sshArguments(access).at(-1)).toBe('127.0.0.1');
	});
});

describe('remoteCommand', () => {
	test('the example of the manual arrives literally', () => {
		const {stdout} = spawnSync('sh', ['-c', remoteCommand(['printf', '%s\\n', 'a b', '$x', "it's"])], {
			encoding: 'utf8',
		});
		expect(stdout).toBe("a b\n$x\nit's\n");
	});

	test('any arguments arrive unchanged', () => {
		const nasty = fc.string({
			unit: fc.constantFrom(
				"'",
				'"',
				'\\',
				'$',
				'`',
				' ',
				'\n',
				'\t',
				'!',
				'*',
				'~',
				';',
				'&',
				'=',
				'-',
				'a',
				'é',
				'\u001B',
			),
			maxLength: 12,
		});
		const argument = fc.oneof(nasty, fc.string({unit: 'grapheme', maxLength: 12})).filter(text => !text.includes('\0'));
		fc.assert(
			fc.property(fc.array(argument, {minLength: 1, maxLength: 6}), args => {
				expect(argumentsIn(remoteCommand(['printf', '%s\\0', ...args]))).toEqual(args);
			}),
			{numRuns: 150},
		);
	});

	test('a command’s name is no keyword and no assignment', () => {
		for (const name of ['if', '{', '!', 'X=1']) {
			const {status} = spawnSync('sh', ['-c', remoteCommand([name, 'x'])]);
			expect(status, name).toBe(127);
		}
	});

	test('runs where it is told to, and not at all when that is not there', () => {
		const inside = spawnSync('sh', ['-c', remoteCommand(['pwd'], '/usr/../usr')], {encoding: 'utf8'});
		expect(inside.stdout.trim()).toMatch(/^\/usr/);
		const nowhere = spawnSync('sh', ['-c', remoteCommand(['echo', 'ran'], '/not there')], {encoding: 'utf8'});
		expect(nowhere.status).not.toBe(0);
		expect(nowhere.stdout).toBe('');
	});

	test('refuses a NUL', () => {
		expect(() => remoteCommand(['a\0b'])).toThrow(/NUL/);
	});
});
