import {spawnSync} from 'node:child_process';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {parse, stringify} from 'yaml';
import {checkCloudConfig, type SeedInput, seedFiles} from '../../source/guest/seed.ts';

const input: SeedInput = {
	id: '4c2e6a0e-6f0d-4f0e-9d3b-7a5d1c2b3a49',
	name: 'web',
	user: 'ubuntu',
	clientKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqq',
	hostKey: {
		private: '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
		public: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhh',
	},
};

async function userData(cloudInit?: string): Promise<string> {
	const files = await seedFiles({...input, ...(cloudInit === undefined ? {} : {cloudInit})});
	return files['user-data'];
}

/** As cloud-init's own YAML reader sees it: version 1.1. */
const read = (text: string) => parse(text, {version: '1.1'});

const hasPyYaml = spawnSync('python3', ['-c', 'import yaml']).status === 0;

describe('seedFiles', () => {
	test('without a cloud-config: the user, both keys, and nothing folded', async () => {
		const files = await seedFiles(input);
		expect(files['user-data']).toBe(`#cloud-config
system_info:
  default_user:
    name: ubuntu
    lock_passwd: true
    shell: /bin/bash
    sudo:
      - ALL=(ALL) NOPASSWD:ALL
users:
  - default
ssh_authorized_keys:
  - ${input.clientKey} drover
ssh_deletekeys: true
ssh_genkeytypes:
  - ed25519
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    b3Blbg
    AAAA
    -----END OPENSSH PRIVATE KEY-----
  ed25519_public: ${input.hostKey.public}
`);
		expect(read(files['meta-data'])).toEqual({
			'instance-id': input.id,
			'local-hostname': 'web',
			'cloud-name': 'drover',
		});
		expect(files['vendor-data'].startsWith('#cloud-config\n')).toBe(true);
		expect(read(files['vendor-data'])).toMatchObject({growpart: {mode: 'auto', devices: ['/']}, resize_rootfs: true});
		expect(read(files['network-config'])).toEqual({
			version: 2,
			ethernets: {default: {match: {name: 'e*'}, dhcp4: true, 'dhcp-identifier': 'mac'}},
		});
	});

	test.each(['no', 'on', 'null', 'True', 'y'])('a host named %s stays a text', async name => {
		expect(read((await seedFiles({...input, name}))['meta-data'])['local-hostname']).toBe(name);
	});

	test('the network is bound to the card when it is known', async () => {
		const files = await seedFiles({...input, mac: '52:54:00:12:34:56'});
		expect(read(files['network-config']).ethernets.default.match).toEqual({macaddress: '52:54:00:12:34:56'});
	});

	test('further cards ask for an address without being waited for, and are no way out; manual ones are left alone', async () => {
		const nic = (end: string, mode: 'auto' | 'manual') => ({network: 'br0', mac: `52:54:00:00:00:${end}`, mode});
		const files = await seedFiles({
			...input,
			mac: '52:54:00:12:34:56',
			nics: [nic('01', 'auto'), nic('02', 'manual'), nic('03', 'auto')],
		});
		const {ethernets} = read(files['network-config']);
		expect(Object.keys(ethernets)).toEqual(['default', 'extra0', 'extra2']);
		expect(ethernets.default).not.toHaveProperty('optional');
		expect(ethernets.extra2).toEqual({
			match: {macaddress: '52:54:00:00:00:03'},
			dhcp4: true,
			'dhcp4-overrides': {'route-metric': 200},
			'dhcp-identifier': 'mac',
			optional: true,
		});
	});

	test('lists of the user’s are kept and appended to', async () => {
		const text = await userData(
			'#cloud-config\nusers: [alice, {name: bob}]\nssh_authorized_keys: [ssh-rsa AAAA me]\npackages: [htop]\n',
		);
		const merged = read(text);
		expect(merged.users).toEqual(['alice', {name: 'bob'}, 'default']);
		expect(merged.ssh_authorized_keys).toEqual(['ssh-rsa AAAA me', `${input.clientKey} drover`]);
		expect(merged.packages).toEqual(['htop']);
		// Small readers know the block style only.
		expect(text).toContain('users:\n  - alice\n  - name: bob\n  - default\n');
		expect(text).toContain(`\nssh_authorized_keys:\n  - ssh-rsa AAAA me\n  - ${input.clientKey} drover\n`);
	});

	test('nothing is folded, however long: a small reader takes a line for the whole value', async () => {
		const command = `echo ${'word '.repeat(60)}> /tmp/x`;
		expect(await userData(`runcmd:\n  - ${command}\n`)).toContain(`\n  - ${command}\n`);
		const clientKey = `ssh-ed25519 ${'A'.repeat(68)}`;
		expect((await seedFiles({...input, clientKey}))['user-data']).toContain(`\n  - ${clientKey} drover\n`);
	});

	test('default is not named twice, and keys without a value are filled', async () => {
		const merged = read(
			await userData('users:\n  - default\nssh_authorized_keys:\nssh_keys: ~\nsystem_info:\n  default_user:\n'),
		);
		expect(merged.users).toEqual(['default']);
		expect(merged.ssh_authorized_keys).toEqual([`${input.clientKey} drover`]);
		expect(merged.ssh_keys.ed25519_public).toBe(input.hostKey.public);
	});

	test('choices of the user’s stay', async () => {
		const merged = read(
			await userData(
				'system_info: {default_user: {groups: [docker], shell: /bin/zsh}}\nssh_deletekeys: false\nssh_keys: {rsa_public: x}\nhostname: other\n',
			),
		);
		expect(merged.system_info.default_user).toMatchObject({name: 'ubuntu', groups: ['docker'], shell: '/bin/zsh'});
		expect(merged.ssh_deletekeys).toBe(false);
		expect(merged.ssh_keys).toMatchObject({rsa_public: 'x', ed25519_public: input.hostKey.public});
		expect(merged.hostname).toBe('other');
	});

	test('what cloud-init reads differently from us is left as it was written', async () => {
		const text = await userData(
			'write_files:\n  - path: /x # why\n    permissions: 0644\n    defer: yes\n    content: |\n      a: "b"\n        c\nwhen: 1:30\nempty:\nquoted: "0644"\n',
		);
		for (const line of [
			'path: /x # why',
			'permissions: 0644',
			'defer: yes',
			'when: 1:30',
			'empty:',
			'quoted: "0644"',
		]) {
			expect(text).toMatch(new RegExp(`^ *(- )?${line}$`, 'm'));
		}
		expect(text).toContain('content: |\n      a: "b"\n        c\n');
	});

	test('the headers come first, once, and a template stays one', async () => {
		expect(await userData('## template: jinja\n#cloud-config\nruncmd:\n  - echo {{ v1.region }}\n')).toMatch(
			/^## template: jinja\n#cloud-config\n(?![\s\S]*#cloud-config)/,
		);
		expect(await userData('\uFEFF#cloud-config\r\nruncmd:\r\n- ls\r\n')).toMatch(/^#cloud-config\nruncmd:\n/);
	});

	test.each([
		['a: 1\nb: "x\nc: 1\n', /line \d/],
		['a: 1\nb: c: d\n', /line 2/],
		['#cloud-config\na: 1\n\tb: 2\n', /line 3/],
		['#cloud-config\na: 1\na: 2\n', /line 3: Map keys must be unique/],
		['## template: jinja\n#cloud-config\na: b: c\n', /line 3/],
		['', /it is empty/],
		['#cloud-config\n', /it is empty/],
		['- a\n', /mapping/],
		['just words\n', /mapping/],
		['#!/bin/sh\nls\n', /script/],
		['Content-Type: multipart/mixed\n', /MIME/],
		['a: 1\n---\nb: 1\n', /line 2/],
		['users: bob\n', /"users" must be a list/],
		['ssh_authorized_keys: {a: 1}\n', /"ssh_authorized_keys" must be a list/],
		['ssh_keys: [a]\n', /"ssh_keys" must be a mapping/],
		['user: bob\n', /default user/],
		['system_info: {default_user: {name: bob}}\n', /default user/],
		['system_info: {default_user: bob}\n', /"default_user" must be a mapping/],
		['ssh_keys: {ed25519_private: x}\n', /ed25519/],
		['a: 1\nb: {{ v1.region }}\n', /line 2: a key must be a plain text/],
		['? [a]\n: b\n', /line 1: a key/],
		[`a: ${'x'.repeat(1_100_000)}\n`, /1 MiB/],
	])('refuses %j', async (cloudInit, message) => {
		const expected = {code: 'usage.invalid', message: expect.stringMatching(message)};
		await expect(userData(cloudInit)).rejects.toMatchObject(expected);
		await expect(checkCloudConfig(cloudInit)).rejects.toMatchObject(expected);
	});

	test('an error shows nothing that steers a terminal', async () => {
		const error = await userData('\u001B[31m\u0007x: "\n').catch((thrown: Error) => thrown);
		expect((error as Error).message).toMatch(/cannot be used/);
		expect((error as Error).message).not.toMatch(/[\u0000-\u001F\u007F-\u009F]/);
	});

	test('any mapping comes through unchanged beside what drover adds', async () => {
		const key = fc.stringMatching(/^x_[a-z]{1,8}$/);
		const {tree} = fc.letrec(tie => ({
			leaf: fc.oneof(fc.string({unit: 'grapheme-ascii'}), fc.integer(), fc.boolean(), fc.constant(null)),
			tree: fc.oneof(
				{depthSize: 'small'},
				tie('leaf'),
				fc.array(tie('tree'), {maxLength: 3}),
				fc.dictionary(key, tie('tree'), {maxKeys: 3}),
			),
		}));
		await fc.assert(
			fc.asyncProperty(fc.dictionary(key, tree, {minKeys: 1, maxKeys: 4}), async mapping => {
				const merged = read(await userData(stringify(mapping, {version: '1.1'})));
				expect(merged).toMatchObject(JSON.parse(JSON.stringify(mapping)));
				expect(merged.users).toEqual(['default']);
			}),
			{numRuns: 60},
		);
	});

	test('the reader that cloud-init uses agrees', async ({skip}) => {
		skip(!hasPyYaml, 'Python with PyYAML is not installed');
		const own =
			'write_files:\n- {path: /x, permissions: 0644}\nbootcmd: &b [ls, "a: b"]\nruncmd: *b\nd: yes\ne:\nsystem_info: {default_user: {groups: [docker]}}\n';
		const load = (text: string) => {
			const {stdout, stderr} = spawnSync(
				'python3',
				['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin.read())))'],
				{input: text, encoding: 'utf8'},
			);
			expect(stderr).toBe('');
			return JSON.parse(stdout);
		};
		const merged = load(await userData(own));
		const {system_info: theirs, ...rest} = load(own);
		expect(merged).toMatchObject(rest);
		expect(merged.system_info.default_user).toEqual({
			...theirs.default_user,
			name: 'ubuntu',
			lock_passwd: true,
			shell: '/bin/bash',
			sudo: ['ALL=(ALL) NOPASSWD:ALL'],
		});
		expect(merged.ssh_keys.ed25519_private).toBe(input.hostKey.private);
	});
});

test('in a container cards are known by their names, as they have no permanent address', async () => {
	const nics = [
		{network: 'lab', mac: '52:54:00:00:00:02', mode: 'manual'},
		{network: 'lab', mac: '52:54:00:00:00:03', mode: 'auto'},
	] as const;
	const {ethernets} = parse((await seedFiles({...input, isContainer: true, nics}))['network-config']);
	expect(ethernets).toEqual({
		eth0: {dhcp4: true, 'dhcp-identifier': 'mac'},
		eth2: expect.objectContaining({dhcp4: true, optional: true}),
	});
	expect(JSON.stringify(ethernets)).not.toContain('macaddress');
});

describe('a card on the private network', () => {
	const privateNic = {mac: '52:54:00:00:00:02', address: '10.86.1.7', prefix: 22};
	const card = async (os: string) =>
		read((await seedFiles({...input, mac: '52:54:00:12:34:56', privateNic, os}))['network-config']).ethernets;

	test('has its address, and the way out stays the first card’s', async () => {
		const ethernets = await card('Ubuntu');
		expect(Object.keys(ethernets)).toEqual(['default', 'private']);
		expect(ethernets.default).toEqual({
			match: {macaddress: '52:54:00:12:34:56'},
			dhcp4: true,
			'dhcp-identifier': 'mac',
		});
		expect(ethernets.private).toMatchObject({
			match: {macaddress: privateNic.mac},
			addresses: ['10.86.1.7/22'],
			optional: true,
		});
		expect(ethernets.private).not.toHaveProperty('gateway4');
		expect(ethernets.private).not.toHaveProperty('routes');
	});

	test('asks drover for instances alone where name servers are each link’s', async () => {
		for (const os of ['Ubuntu', 'Debian', 'Micro']) {
			expect((await card(os)).private.nameservers).toEqual({
				addresses: ['10.86.0.1'],
				search: ['drover', '~multipass', ...[0, 1, 2, 3].map(part => `~${part}.86.10.in-addr.arpa`)],
			});
		}
	});

	test('never leaves a guest without an ordinary name server where they may be all in one list', async () => {
		for (const os of ['AlmaLinux', 'Rocky Linux', 'Alpine Linux', '']) {
			expect((await card(os)).private.nameservers).toEqual({
				addresses: ['10.86.0.1', '10.0.2.3'],
				search: ['drover'],
			});
		}
	});
});
