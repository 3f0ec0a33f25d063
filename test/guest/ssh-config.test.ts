import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import {generateHostKey} from '../../source/guest/keys.ts';
import {
	hostKeyAlias,
	knownHostsFile,
	type SshHost,
	sshAccess,
	sshConfigFile,
	writeSshConfig,
} from '../../source/guest/ssh-config.ts';
import {locate, type Paths} from '../../source/state/paths.ts';

const homes: string[] = [];
afterEach(() => {
	for (const home of homes.splice(0)) rmSync(home, {recursive: true, force: true});
});

function freshPaths(below = ''): Paths {
	const home = mkdtempSync(path.join(tmpdir(), 'drover-ssh-'));
	homes.push(home);
	return locate({DROVER_HOME: path.join(home, below)});
}

const keys = await Promise.all([generateHostKey(), generateHostKey()]);
const web: SshHost = {
	name: 'web',
	id: '4C2E6A0E-6f0d-4f0e-9d3b-7a5d1c2b3a49',
	host: '127.0.0.1',
	port: 40001,
	user: 'ubuntu',
	hostKey: keys[0]!.public,
};
const db: SshHost = {...web, name: 'Db-2', id: 'b0a1', port: 40002, hostKey: keys[1]!.public};

function settingsOf(paths: Paths, destination: string): Record<string, string> {
	const {stdout, stderr, status} = spawnSync('ssh', ['-G', '-T', '-F', sshConfigFile(paths), destination], {
		encoding: 'utf8',
	});
	expect(stderr).toBe('');
	expect(status).toBe(0);
	return Object.fromEntries(stdout.split('\n').map(line => [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)]));
}

/** Whether ssh finds the key under the name it would look it up by. */
function knownKey(paths: Paths, alias: string): string {
	const {stdout} = spawnSync('ssh-keygen', ['-F', alias, '-f', knownHostsFile(paths)], {encoding: 'utf8'});
	return stdout
		.split('\n')
		.filter(line => line !== '' && !line.startsWith('#'))
		.map(line => line.split(' ').slice(1).join(' '))
		.join('\n');
}

describe('writeSshConfig', () => {
	test.each(['', 'a  b', 'per%cent', 'o\'brien "x"'])('the real ssh reads it, in a home named "%s"', async below => {
		const paths = freshPaths(below);
		await writeSshConfig(paths, [web, db]);
		const settings = settingsOf(paths, 'web.drover');
		expect(settings).toMatchObject({
			hostname: '127.0.0.1',
			port: '40001',
			user: 'ubuntu',
			hostkeyalias: hostKeyAlias(web.id),
			identitiesonly: 'yes',
			stricthostkeychecking: 'true',
		});
		expect(settings['identityfile']?.replaceAll('%%', '%')).toBe(path.join(paths.data, 'ssh', 'id_ed25519'));
		expect(settings['userknownhostsfile']?.replaceAll('%%', '%')).toBe(knownHostsFile(paths));
		expect(settingsOf(paths, 'Db-2.drover')['port']).toBe('40002');
		expect(settingsOf(paths, 'other.example')['port']).toBe('22');
		expect(knownKey(paths, settings['hostkeyalias']!)).toBe(web.hostKey);
	});

	test('can be included in a configuration of the user’s without touching what follows', async () => {
		const paths = freshPaths('a b');
		await writeSshConfig(paths, [web]);
		const line = /^# (Include .*)$/m.exec(readFileSync(sshConfigFile(paths), 'utf8'))![1];
		const own = path.join(paths.data, 'own');
		writeFileSync(own, `${line}\nUser kim\n`);
		const user = (destination: string) =>
			/^user (.*)$/m.exec(spawnSync('ssh', ['-G', '-F', own, destination], {encoding: 'utf8'}).stdout)?.[1];
		expect(user('web.drover')).toBe('ubuntu');
		expect(user('elsewhere')).toBe('kim');
	});

	test('the files are private and written only when they change', async () => {
		const paths = freshPaths();
		await writeSshConfig(paths, [web]);
		const files = [sshConfigFile(paths), knownHostsFile(paths)];
		const inodes = () => files.map(file => statSync(file).ino);
		for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
		const before = inodes();
		await writeSshConfig(paths, [web]);
		expect(inodes()).toEqual(before);
		await writeSshConfig(paths, [{...web, port: 40009}]);
		// A port is the configuration's; the key is known under the same name still.
		expect(inodes()[0]).not.toBe(before[0]);
		expect(inodes()[1]).toBe(before[1]);
	});

	test('one unsound instance is left out, the others stay', async () => {
		const paths = freshPaths();
		const bad: SshHost[] = [
			{...web, name: 'a b\n\tProxyCommand x'},
			{...web, name: 'bad-1', host: '127.0.0.1\n\tProxyCommand x'},
			{...web, name: 'bad-2', port: 0},
			{...web, name: 'bad-3', user: 'x\n'},
			{...web, name: 'bad-4', hostKey: `${web.hostKey}\n* ${web.hostKey}`},
			{...web, name: 'bad-5', id: '* x'},
		];
		await writeSshConfig(paths, [...bad, db]);
		const config = readFileSync(sshConfigFile(paths), 'utf8');
		expect(config.match(/^Host .*/gm)).toEqual(['Host Db-2.drover']);
		expect(config).not.toContain('ProxyCommand');
		expect(readFileSync(knownHostsFile(paths), 'utf8').trim().split('\n')).toHaveLength(1);
	});
});

describe('sshAccess', () => {
	test('knows the key of an instance that was not written yet, beside the others', async () => {
		const paths = freshPaths();
		const [access] = await Promise.all([sshAccess(paths, web), sshAccess(paths, db)]);
		expect(access).toMatchObject({name: 'web', host: '127.0.0.1', port: 40001, user: 'ubuntu'});
		expect(knownKey(paths, access.hostKeyAlias)).toBe(web.hostKey);
		expect(knownKey(paths, hostKeyAlias(db.id))).toBe(db.hostKey);
	});

	test('a new instance of an old name is another, and a new key of the same instance replaces the old', async () => {
		const paths = freshPaths();
		await sshAccess(paths, web);
		await sshAccess(paths, {...web, hostKey: db.hostKey});
		expect(knownKey(paths, hostKeyAlias(web.id))).toBe(db.hostKey);
		const again = await sshAccess(paths, {...web, id: 'another'});
		expect(again.hostKeyAlias).not.toBe(hostKeyAlias(web.id));
		expect(knownKey(paths, again.hostKeyAlias)).toBe(web.hostKey);
	});

	test('refuses what ssh could read as something else', async () => {
		const paths = freshPaths();
		await expect(sshAccess(paths, {...web, host: '-oProxyCommand=x'})).rejects.toMatchObject({
			code: 'instance.invalid',
		});
	});

	test('says why when the files cannot be written', async () => {
		const paths = freshPaths();
		mkdirSync(path.join(paths.data, 'ssh', 'known_hosts'), {recursive: true});
		await expect(sshAccess(paths, web)).rejects.toMatchObject({code: 'host.failed'});
	});
});
