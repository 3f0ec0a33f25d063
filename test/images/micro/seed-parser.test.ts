import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {stringify} from 'yaml';
import {generateHostKey} from '../../../source/guest/keys.ts';
import {seedFiles} from '../../../source/guest/seed.ts';
import {seedParser} from '../../../source/images/micro/guest/seed.ts';

/** What the guest's reader takes from a seed. */
function read(userData: string, metaData = 'instance-id: i-1\nlocal-hostname: web\n', networkConfig?: string) {
	const directory = mkdtempSync(path.join(tmpdir(), 'drover-seed-'));
	try {
		const file = (name: string, text: string) => {
			writeFileSync(path.join(directory, name), text);
			return path.join(directory, name);
		};
		const out = path.join(directory, 'out');
		mkdirSync(out);
		const inputs = [file('meta-data', metaData), file('user-data', userData)];
		if (networkConfig !== undefined) inputs.push(file('network-config', networkConfig));
		execFileSync('awk', ['-v', `out=${out}`, '-f', file('parser', seedParser), ...inputs], {
			env: {...process.env, LC_ALL: 'C'},
		});
		const lines = (name: string) =>
			existsSync(path.join(out, name)) ? readFileSync(path.join(out, name), 'utf8').replace(/\n$/, '') : undefined;
		return {
			id: lines('instance-id'),
			name: lines('local-hostname'),
			hostname: lines('hostname'),
			keys: lines('authorized-keys')?.split('\n'),
			hostKey: lines('host-key'),
			users: lines('users')?.split('\n'),
			runcmd: lines('runcmd'),
			network: lines('network'),
		};
	} finally {
		rmSync(directory, {recursive: true, force: true});
	}
}

test('drover’s own seed is understood', async () => {
	const hostKey = await generateHostKey();
	const client = (await generateHostKey()).public;
	const seed = await seedFiles({
		id: 'no',
		name: 'yes',
		user: 'ubuntu',
		clientKey: client,
		hostKey,
		cloudInit: '#cloud-config\nruncmd:\n- echo "a: b" > /x\n- [touch, "/it\'s here"]\nusers: [default, {name: kim}]\n',
	});
	const found = read(seed['user-data'], seed['meta-data']);
	expect(found).toMatchObject({id: 'no', name: 'yes', hostKey: hostKey.private.trim(), users: ['kim']});
	expect(found.keys).toContain(`${client} drover`);
	expect(found.runcmd).toBe(`echo "a: b" > /x\n'touch' '/it'\\''s here'`);
});

test('the ways in which a list can be written', () => {
	const userData = `#cloud-config
hostname: "db-1"   # a remark
ssh_authorized_keys:
- ssh-ed25519 AAAA one
- 'ssh-ed25519 BBBB it''s two'
packages: [a, b]
users:
  - default
  - name: kim
    ssh_authorized_keys:
      - ssh-ed25519 CCCC three
write_files:
  - path: /etc/motd
    content: |
      runcmd:
        - not this
runcmd:
  - - sh
    - -c
    - |
      one
        two

      three
  - >-
    echo folded
    into one
  - {a: b}
  - echo plain
    goes on
  - "echo \\"quoted\\" \\
    goes on"
  - [ls, "a, b", 'c d']
final_message: done
`;
	expect(read(userData)).toEqual({
		id: 'i-1',
		name: 'web',
		hostname: 'db-1',
		keys: ['ssh-ed25519 AAAA one', "ssh-ed25519 BBBB it's two", 'ssh-ed25519 CCCC three'],
		hostKey: undefined,
		users: ['kim'],
		runcmd: [
			"'sh' '-c' 'one\n  two\n\nthree'",
			'echo folded into one',
			'echo plain goes on',
			'echo "quoted" goes on',
			"'ls' 'a, b' 'c d'",
		].join('\n'),
	});
});

test('whatever command is written by the YAML library arrives as it was', () => {
	const character = fc.constantFrom(...'ab Z09$"\'\\#:-|>{}[],&*!%@`~/=?\n'.split(''));
	// A command is at least a letter, and ends without blanks: those have no meaning to a shell.
	const command = fc.array(character, {maxLength: 30}).map(characters => `x${characters.join('')}x`);
	fc.assert(
		fc.property(fc.array(command, {minLength: 1, maxLength: 6}), commands => {
			const text = `#cloud-config\n${stringify({runcmd: commands, last: 1}, {version: '1.1', lineWidth: 0})}`;
			expect(read(text).runcmd).toBe(commands.join('\n'));
		}),
		{numRuns: 120, examples: [[['x\n \nx', 'xx']]]},
	);
});

test('cards of the seed that have an address', async () => {
	const hostKey = await generateHostKey();
	const seed = await seedFiles({
		id: 'i-1',
		name: 'web',
		user: 'ubuntu',
		clientKey: hostKey.public,
		hostKey,
		mac: '52:54:00:12:34:56',
		privateNic: {mac: '52:54:00:10:20:30', address: '10.86.1.7', prefix: 22},
		os: 'Micro',
	});
	const found = read(seed['user-data'], seed['meta-data'], seed['network-config']);
	expect(found.network).toBe('52:54:00:10:20:30 10.86.1.7/22 10.86.0.1 drover');
	// A card that asks for its address is none of them.
	expect(
		read('#cloud-config\n', undefined, 'version: 2\nethernets:\n  a:\n    match:\n      macaddress: "x"\n').network,
	).toBeUndefined();
	// What is no address is not taken for one: it would become a word of a command in the guest.
	const odd = 'ethernets:\n  a:\n    match:\n      macaddress: aa\n    addresses:\n      - "1 2; reboot"\n';
	expect(read('#cloud-config\n', undefined, odd).network).toBeUndefined();
});
