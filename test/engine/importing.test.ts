import {spawn} from 'node:child_process';
import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import type {EngineOptions} from '../../source/engine/create-engine.ts';
import type {Engine, ImportRequest} from '../../source/engine/engine.ts';
import {type Circumstances, judge} from '../../source/engine/importing/judge.ts';
import {multipassPlaces} from '../../source/engine/importing/places.ts';
import type {TheirInstance} from '../../source/engine/importing/read.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {contentOf, MultipassData} from '../support/multipass.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';

async function home(
	data: MultipassData,
	options: EngineOptions & {driver?: 'qemu' | 'lxd'; isInstalled?: boolean} = {},
) {
	const paths = scratchPaths();
	const hypervisor = new SimulatedHypervisor();
	hypervisor.offers.set('lxd', ['imageForm', 'networks', 'addNic', 'mount']);
	const {isInstalled = true, driver = 'qemu'} = options;
	const {engine} = await simulatedEngine(paths, {
		hypervisor,
		driver,
		...options,
		workshop: {multipassPlaces: isInstalled ? [data.directory] : [path.join(data.directory, 'nowhere')]},
	});
	const file = (name: string, inside: string) => path.join(instanceDirectory(paths, driver, name), inside);
	const bring = async (request: Partial<ImportRequest> = {}) => {
		const {plan, operation} = await engine.importInstances({by, ...request});
		const ended = operation === undefined ? undefined : await engine.wait({id: operation.id});
		return {plan, ended};
	};
	return {
		engine,
		paths,
		hypervisor,
		file,
		bring,
		record: (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8')),
		verdicts: async (request: Partial<ImportRequest> = {}) =>
			Object.fromEntries(
				(await engine.importPlan(request)).instances.map(({ref, verdict, reason}) => [ref, reason ?? verdict]),
			),
		act: async (action: Parameters<Engine['act']>[0]['action'], name: string) =>
			engine.wait({id: (await engine.act({action, names: [name], by})).id}),
	};
}

describe('what is brought', () => {
	test('the disk, the sizes, the address and the mounts; the original is read only', async () => {
		const data = new MultipassData();
		const source = path.join(data.directory, 'src');
		mkdirSync(source);
		data.add('amber-otter', {
			record: {
				mounts: [
					{
						source_path: source,
						target_path: '/home/ubuntu/src',
						mount_type: 1,
						uid_mappings: [{host_uid: 1000, instance_uid: -1}],
						gid_mappings: [{host_gid: 1000, instance_gid: -1}],
					},
					{source_path: source, target_path: '/proc', mount_type: 0, uid_mappings: [], gid_mappings: []},
					{source_path: 7, target_path: '/x'},
				],
				extra_interfaces: [{id: 'br-lab', mac_address: '52:54:00:4d:5e:6f', auto_mode: true}],
			},
		});
		const before = data.fingerprint();
		const {bring, record, file, engine, act} = await home(data);
		const {plan, ended} = await bring();
		expect(ended).toMatchObject({kind: 'import', state: 'done', items: [{target: 'amber-otter'}]});
		expect(plan.instances).toMatchObject([
			{
				ref: 'amber-otter',
				verdict: 'import',
				cpus: 2,
				memory: 2 ** 29,
				disk: 2 ** 30,
				notes: [
					'Its native mounts go over SSH here.',
					'Not brought: its interface on br-lab, which the driver does not offer.',
				],
			},
		]);
		expect(record('amber-otter')).toMatchObject({
			phase: 'ready',
			desired: 'stopped',
			createdBy: by,
			image: {query: 'multipass', release: '24.04 LTS', os: 'Ubuntu', hash: ''},
			hardware: {cpus: 2, memory: 2 ** 29, disk: 2 ** 30, mac: '52:54:00:1a:2b:01'},
			ssh: {user: 'ubuntu', hostKey: expect.stringMatching(/^ssh-ed25519 /)},
			mounts: [
				{
					source,
					target: '/home/ubuntu/src',
					type: 'classic',
					uidMap: [{host: 1000, guest: -1}],
					gidMap: [{host: 1000, guest: -1}],
				},
			],
			origin: {software: 'multipass', scope: '', name: 'amber-otter', mac: '52:54:00:1a:2b:01'},
		});
		expect(record('amber-otter')).not.toHaveProperty('intent');
		expect(contentOf(file('amber-otter', 'disk'))).toBe('amber-otter');
		const seed = JSON.parse(readFileSync(file('amber-otter', 'seed'), 'utf8'));
		expect(seed['meta-data']).toContain(`instance-id: ${record('amber-otter').id}`);
		expect(seed['user-data']).toContain(record('amber-otter').ssh.hostKey);
		expect(readdirSync(path.dirname(file('amber-otter', 'disk'))).sort()).toEqual(
			['disk', 'events.jsonl', 'instance.json', 'instance.json.last', 'seed', 'ssh_host_ed25519_key'].sort(),
		);
		expect((await engine.instanceEvents({name: 'amber-otter'})).map(({what}) => what)).toEqual([
			'imported from Multipass, where it is amber-otter',
		]);
		expect(await act('start', 'amber-otter')).toMatchObject({state: 'done'});
		expect(data.fingerprint()).toBe(before);
	});

	test('every format of a disk', async () => {
		const data = new MultipassData();
		for (const format of ['qcow2', 'raw'] as const) data.add(`root-${format}`, {format});
		for (const format of ['vdi', 'vhdx', 'vpc'] as const) data.add(`box-${format}`, {format}, 'virtualbox');
		const {bring, file, record} = await home(data);
		const {ended} = await bring();
		expect(ended).toMatchObject({state: 'done'});
		for (const name of ['root-qcow2', 'root-raw', 'box-vdi', 'box-vhdx', 'box-vpc']) {
			expect(contentOf(file(name, 'disk')), name).toBe(name);
		}
		expect(record('box-vdi').origin).toMatchObject({scope: 'virtualbox', name: 'box-vdi'});
	});

	test('the disk as it is now: snapshots stay, and it is said', async () => {
		const data = new MultipassData();
		data.add('web', {tags: ['@s1', '@s2'], snapshots: 2});
		data.add('box', {format: 'vdi', snapshots: 1}, 'virtualbox');
		const {bring, verdicts, engine} = await home(data);
		const {plan} = await bring({names: ['web']});
		expect(plan.instances[0]!.notes).toEqual([
			'Its 2 snapshots stay with Multipass: what is brought is the disk as it is now.',
		]);
		expect((await engine.list()).map(({name}) => name)).toEqual(['web']);
		expect(await verdicts()).toMatchObject({
			'virtualbox/box': 'it has snapshots, and its disk as it is now is spread over several files',
		});
	});

	test('into a driver of containers', async () => {
		const data = new MultipassData();
		data.add('web');
		const {bring, hypervisor, engine} = await home(data, {driver: 'lxd'});
		hypervisor.parts.imageForm = 'rootfs';
		const {plan, ended} = await bring();
		expect(plan.instances[0]!.notes).toEqual(['It becomes a container, which shares the kernel of the host.']);
		// There is no file system on this disk.
		expect(ended).toMatchObject({
			state: 'failed',
			error: {
				code: 'image.unusable',
				message:
					'The disk of "web" cannot be used for a container: no Linux system on ext2, ext3 or ext4 was found on it.',
			},
		});
		expect(await engine.list()).toEqual([]);
	});

	test('mounts of a directory of data that is not this host’s own are told, and not made', async () => {
		const data = new MultipassData();
		data.add('web', {
			record: {
				mounts: [{source_path: '/etc', target_path: '/mnt/etc', mount_type: 0, uid_mappings: [], gid_mappings: []}],
			},
		});
		const {bring, record} = await home(data, {isInstalled: false});
		const {plan} = await bring({from: data.directory});
		expect(record('web')).not.toHaveProperty('mounts');
		expect(plan.instances[0]!.notes).toEqual([
			'Its mount is not brought from another directory than Multipass’s own: drover mount /etc web:/mnt/etc',
		]);
	});
});

describe('what is left where it is', () => {
	test('each with its reason, and none keeps the others from it', async () => {
		const data = new MultipassData();
		data.add('fine');
		data.add('gone', {isDeleted: true});
		data.add('starting', {state: 2});
		data.add('saved', {state: 7});
		// Their daemon leaves it at that when it has suspended an instance.
		data.add('suspending', {state: 6});
		data.add('left-running', {state: 4, tags: ['suspend']});
		data.add('running', {state: 4});
		data.add('no-disk', {without: 'disk'});
		data.add('orphan', {without: 'record'});
		data.add('tiny', {record: {mem_size: '1000000'}});
		data.add('ghost');
		data.put('', 'ghost', {});
		data.add('text', {record: {num_cores: 'many'}});
		data.put('lxd', 'far', {num_cores: 1, mem_size: '1073741824', disk_space: '5368709120', state: 1});
		writeFileSync(data.add('cut'), 'QFI');
		writeFileSync(data.add('empty'), '');
		writeFileSync(data.add('page'), `<!doctype html>${' '.repeat(600)}`);
		const {verdicts, bring, engine} = await home(data);
		expect(await verdicts()).toEqual({
			fine: 'import',
			gone: 'it is deleted in Multipass',
			starting: 'Multipass has it as Starting',
			saved: 'it is suspended, and its memory cannot be brought along',
			suspending: 'it is suspended, and its memory cannot be brought along',
			'left-running': 'it is suspended, and its memory cannot be brought along',
			running: 'Multipass has it as Running',
			'no-disk': 'its disk is missing',
			orphan: 'Multipass has no record of it, so that its sizes are not known',
			tiny: 'its memory of 977K is less than the 128M that are needed',
			ghost: 'its record is not usable: num_cores, so that its sizes are not known',
			text: 'its record is not usable: num_cores, so that its sizes are not known',
			'lxd/far': 'it is on an LXD server',
			cut: 'its disk is cut short',
			empty: 'its disk is empty',
			page: 'its disk cannot be used: it is a web page',
		});
		await bring();
		expect((await engine.list()).map(({name}) => name)).toEqual(['fine']);
	});

	test('one whose disk another process has open for writing, whatever is written of it', async () => {
		const data = new MultipassData();
		const disk = data.add('web', {state: 1});
		const holder = spawn('qemu-io', [disk], {stdio: ['pipe', 'pipe', 'ignore']});
		onTestFinished(() => void holder.kill('SIGKILL'));
		holder.stdin.write('write 0 512\n');
		await new Promise(resolve => holder.stdout.once('data', resolve));
		const {verdicts} = await home(data);
		expect(await verdicts()).toEqual({web: 'it runs'});
		expect(await verdicts({discardMemory: true})).toEqual({web: 'it runs'});
		holder.stdin.end('quit\n');
		await new Promise(resolve => holder.once('exit', resolve));
		expect(await verdicts()).toEqual({web: 'import'});
	});

	test('suspended ones come without their memory when that is said', async () => {
		const data = new MultipassData();
		data.add('saved', {state: 4, tags: ['suspend']});
		data.add('running', {state: 4});
		data.add('box', {state: 4, format: 'vdi'}, 'virtualbox');
		data.add('box-saved', {state: 7, format: 'vdi'}, 'virtualbox');
		const {bring, file} = await home(data);
		const {plan} = await bring({discardMemory: true});
		const note = 'Its memory is left out: it will boot as after a power cut.';
		expect(plan.instances).toMatchObject([
			{ref: 'running', verdict: 'import', notes: [note]},
			{ref: 'saved', verdict: 'import', notes: [note]},
			// Nothing but what is written tells whether it runs.
			{ref: 'virtualbox/box', verdict: 'skip', reason: 'Multipass has it as Running'},
			{ref: 'virtualbox/box-saved', verdict: 'import', notes: [note]},
		]);
		expect(contentOf(file('saved', 'disk'))).toBe('saved');
	});

	test('what Multipass has lost the record of comes when it is named', async () => {
		const data = new MultipassData();
		data.add('lost', {without: 'record'});
		const {bring, record} = await home(data);
		expect((await bring({names: ['lost']})).ended).toMatchObject({state: 'done'});
		expect(record('lost')).toMatchObject({hardware: {cpus: 1, memory: 2 ** 30}, ssh: {user: 'ubuntu'}});
		expect(record('lost').origin).toEqual({software: 'multipass', scope: '', name: 'lost'});
		expect((await bring({names: ['lost']})).plan.instances).toMatchObject([{verdict: 'here'}]);
	});

	test('a list that cannot be read hides nothing of what lies in the vault', async () => {
		const data = new MultipassData();
		data.add('web');
		const {engine} = await home(data);
		for (const [text, why] of [
			['{"web": {', 'it is not valid JSON'],
			['[]', 'it has no instances by name'],
			['', 'it is empty'],
		] as const) {
			writeFileSync(data.recordsFile(), text);
			expect(await engine.importPlan({})).toMatchObject({
				instances: [
					{ref: 'web', verdict: 'skip', reason: 'Multipass has no record of it, so that its sizes are not known'},
				],
				problems: [`${data.recordsFile()} cannot be used: ${why}.`],
			});
		}
		truncateSync(data.recordsFile(), 17 * 2 ** 20);
		expect((await engine.importPlan({})).problems).toEqual([
			`${data.recordsFile()} cannot be used: it has more than 16 MiB.`,
		]);
	});

	test('names that are taken, and those that cannot be had here, come under another', async () => {
		const data = new MultipassData();
		data.add('web');
		data.add('web', {format: 'vdi'}, 'virtualbox');
		data.add(`x${'y'.repeat(80)}`);
		const {bring, verdicts, engine, record} = await home(data);
		await engine.wait({id: (await engine.launch({name: 'db', by})).id});
		expect(await verdicts()).toEqual({
			web: 'import',
			'virtualbox/web': 'there is an instance "web" here already',
			[`x${'y'.repeat(80)}`]: 'its name cannot be used here: it has 81 characters, 63 are allowed',
		});
		await bring();
		await bring({names: ['virtualbox/web'], as: 'web-box'});
		expect((await engine.list()).map(({name}) => name)).toEqual(['db', 'web', 'web-box']);
		expect(record('web-box').origin).toMatchObject({scope: 'virtualbox', name: 'web'});
		await expect(bring({as: 'x'})).rejects.toMatchObject({code: 'usage.invalid'});
		await expect(bring({names: ['nobody']})).rejects.toMatchObject({
			code: 'instance.missing',
			message: `Multipass has no instance "nobody" in ${data.directory}`,
		});
	});

	test('too little disk, once those before have had theirs', () => {
		const each = (name: string): TheirInstance => ({
			scope: '',
			name,
			record: {
				cpus: 1,
				memory: 2 ** 30,
				disk: 2 ** 30,
				user: 'ubuntu',
				state: 1,
				isDeleted: false,
				mounts: [],
				networks: [],
			},
			image: undefined,
			file: `/data/${name}`,
			disk: {format: 'qcow2', virtualSize: 2 ** 30, copySize: 2 ** 30, tags: []},
			snapshots: 0,
		});
		const circumstances: Circumstances = {
			brought: [],
			isTaken: () => false,
			scope: 'qemu',
			named: new Set(),
			discardMemory: false,
			hasNetwork: () => false,
			hasNative: false,
			isInstalled: true,
			form: 'disk',
			freeBytes: 2.5 * 2 ** 30,
		};
		const reasons = (freeBytes: number, form: 'disk' | 'rootfs' = 'disk') =>
			judge([each('a'), each('b'), each('c')], {...circumstances, freeBytes, form}).map(({line}) => line.reason);
		expect(reasons(2 ** 34)).toEqual([undefined, undefined, undefined]);
		const little = 'its copy needs up to 1.0G of disk, and 256M can be used';
		expect(reasons(2.5 * 2 ** 30)).toEqual([undefined, undefined, little]);
		// What is converted is there several times over meanwhile.
		expect(reasons(4 * 2 ** 30, 'rootfs')).toEqual([
			undefined,
			expect.stringMatching(/needs up to 3.5G/),
			expect.any(String),
		]);
	});
});

describe('hostile data', () => {
	test('what is to be pasted means nothing else to a shell', async () => {
		const data = new MultipassData();
		data.add('x; rm -rf ~', {state: 4});
		data.add('$(reboot)', {isDeleted: true});
		const {engine} = await home(data);
		const next = (await engine.importPlan({})).instances.map(line => line.next ?? '').join('\n');
		expect(next).toContain("multipass stop 'x; rm -rf ~'");
		expect(next).toContain("multipass recover '$(reboot)'");
	});

	test('names and paths lead nowhere else', async () => {
		const data = new MultipassData();
		const outside = new MultipassData();
		const secret = outside.add('secret');
		// The file it names is never opened, only one of that name in its own directory.
		data.add('absolute', {path: secret});
		data.add('climbing', {path: '../../../../../etc/passwd'});
		data.add('windows', {path: 'C:\\ProgramData\\x\\..\\..\\disk.img'});
		for (const name of ['../up', '..', '.', '', 'a/b', '__proto__', 'esc\u001b[2Jape', 'new\nline', 'a b']) {
			data.put('', name, {num_cores: 1, mem_size: '1073741824', disk_space: '5368709120', state: 1});
		}
		const linked = path.join(data.directory, 'vault', 'instances', 'linked');
		symlinkSync(path.dirname(secret), linked);
		data.put('', 'linked', {num_cores: 1, mem_size: '1073741824', disk_space: '5368709120', state: 1});
		const disk = data.add('disk-link');
		rmSync(disk);
		symlinkSync(secret, disk);
		const {engine, bring, file} = await home(data);
		const plan = await engine.importPlan({});
		expect(Object.fromEntries(plan.instances.map(({ref, verdict, reason}) => [ref, reason ?? verdict]))).toEqual({
			absolute: 'import',
			climbing: 'import',
			windows: 'import',
			'..': 'its name is not one of a directory',
			'.': 'its name is not one of a directory',
			'': 'its name is not one of a directory',
			'../up': 'its name is not one of a directory',
			'a/b': 'its name is not one of a directory',
			// As JSON has it: an instance called so, and nothing of an object's own.
			['__proto__']: 'its disk is missing',
			'a b': 'its disk is missing',
			escape: 'its name is not one of a directory',
			'new line': 'its name is not one of a directory',
			linked: 'its directory is a link to another place',
			'disk-link': 'its disk is not a regular file',
		});
		expect(JSON.stringify(plan)).not.toMatch(/\\u001b|\\n/);
		await bring();
		expect((await engine.list()).map(({name}) => name)).toEqual(['absolute', 'climbing', 'windows']);
		for (const name of ['absolute', 'climbing', 'windows']) expect(contentOf(file(name, 'disk'))).toBe(name);
	});

	test('a disk that names another file is not opened', async () => {
		const data = new MultipassData();
		const disk = data.add('web');
		const {execFileSync} = await import('node:child_process');
		const secret = path.join(data.directory, 'secret.raw');
		writeFileSync(secret, 'secret'.repeat(1000));
		rmSync(disk);
		execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', secret, disk]);
		const {verdicts} = await home(data);
		expect(await verdicts()).toEqual({web: 'its disk is based on another file'});
		rmSync(disk);
		execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${secret}`, disk, '1M']);
		expect(await verdicts()).toEqual({web: 'its disk keeps its data in another file'});
	});

	test.skipIf(process.getuid?.() === 0)('what may not be read is told (root may read all)', async () => {
		const data = new MultipassData();
		chmodSync(data.add('web'), 0);
		const {engine} = await home(data);
		expect((await engine.importPlan({})).instances).toMatchObject([
			{reason: 'its disk may not be read', next: 'Run drover as the user who may, mostly root.'},
		]);
		chmodSync(data.directory, 0);
		onTestFinished(() => chmodSync(data.directory, 0o700));
		expect((await engine.importPlan({})).problems[0]).toContain('may not be read by');
	});

	test('doctor and dashboard tell that there is some', async () => {
		const data = new MultipassData();
		data.add('web');
		const {engine} = await home(data);
		expect((await engine.overview()).multipass).toBe(data.directory);
		expect((await engine.doctor({again: false})).checks).toContainEqual({
			title: 'Multipass',
			verdict: 'ok',
			text: `has data in ${data.directory}`,
			remedy: 'drover import multipass --dry-run shows which of its instances can be copied here.',
		});
		const {engine: other} = await home(data, {isInstalled: false});
		expect(await other.overview()).not.toHaveProperty('multipass');
		expect((await other.doctor({again: false})).checks.map(({title}) => title)).not.toContain('Multipass');
	});

	test('where it is, by platform', () => {
		expect(multipassPlaces('linux', {})[0]).toBe('/var/snap/multipass/common/data/multipassd');
		expect(multipassPlaces('linux', {MULTIPASS_STORAGE: '/srv/mp'})[0]).toBe('/srv/mp/data');
		expect(multipassPlaces('linux', {MULTIPASS_STORAGE: 'here'})).toEqual(multipassPlaces('linux', {}));
		expect(multipassPlaces('darwin', {})).toEqual(['/var/root/Library/Application Support/multipassd']);
		expect(multipassPlaces('win32', {ProgramData: 'D:\\PD'})).toEqual(['D:\\PD\\Multipass\\data']);
	});

	test('places without data', async () => {
		const data = new MultipassData();
		const {engine, bring} = await home(data, {isInstalled: false});
		expect(await engine.importPlan({})).toMatchObject({instances: [], problems: []});
		expect(await engine.importPlan({})).not.toHaveProperty('directory');
		expect(await bring()).toMatchObject({ended: undefined});
		await expect(engine.importPlan({names: ['web']})).rejects.toMatchObject({code: 'instance.missing'});
	});
});

describe('again and again', () => {
	test('what is here is known, also in the trash; what was made anew there is another', async () => {
		const data = new MultipassData();
		data.add('web');
		const {bring, verdicts, act, hypervisor} = await home(data);
		await bring();
		const calls = hypervisor.calls.length;
		expect(await bring()).toMatchObject({ended: undefined, plan: {instances: [{verdict: 'here', name: 'web'}]}});
		expect(hypervisor.calls).toHaveLength(calls);
		await act('delete', 'web');
		expect(await verdicts()).toEqual({web: 'it is here already as "web", in the trash'});
		await act('purge', 'web');
		expect(await verdicts()).toEqual({web: 'import'});
		await bring({names: ['web'], as: 'other'});
		expect(await verdicts()).toEqual({web: 'it is here already as "other"'});
		data.put('', 'web', {
			num_cores: 1,
			mem_size: '1073741824',
			disk_space: '5368709120',
			state: 1,
			mac_addr: '52:54:00:99:99:99',
		});
		expect(await verdicts()).toEqual({web: 'import'});
	});

	test('an address that somebody has is not taken', async () => {
		const data = new MultipassData();
		data.add('web');
		data.add('other', {record: {mac_addr: '52:54:00:1a:2b:01'}});
		const {bring, record} = await home(data);
		expect((await bring()).ended).toMatchObject({state: 'done'});
		const macs = [record('web').hardware.mac, record('other').hardware.mac];
		expect(new Set(macs).size).toBe(2);
		expect(macs).toContain('52:54:00:1a:2b:01');
	});

	test('what fails leaves nothing behind, and the others come', async () => {
		const data = new MultipassData();
		data.add('bad');
		data.add('good');
		const {bring, hypervisor, engine, paths} = await home(data);
		hypervisor.before.set('create', ({name}) => {
			if (name === 'bad') throw new Error('no room');
		});
		const {ended} = await bring();
		expect(ended).toMatchObject({state: 'failed', items: [{state: 'failed'}, {state: 'done'}]});
		expect((await engine.list()).map(({name}) => name)).toEqual(['good']);
		expect(existsSync(instanceDirectory(paths, 'qemu', 'bad'))).toBe(false);
	});

	test('cancelled, it leaves nothing behind', async () => {
		const data = new MultipassData();
		data.add('one');
		data.add('two');
		const {engine, hypervisor, verdicts} = await home(data);
		hypervisor.before.set('create', () => new Promise(() => {}));
		const {operation} = await engine.importInstances({by});
		await until(
			() => hypervisor.calls,
			calls => calls.some(call => call.startsWith('create')),
		);
		expect(await engine.list()).toMatchObject([
			{name: 'one', state: 'Stopped', reason: 'it is being imported', operation: {kind: 'import'}},
			{name: 'two', state: 'Stopped', reason: 'it is being imported', operation: {stage: 'waiting for its turn'}},
		]);
		expect(await verdicts()).toEqual({one: 'it is being imported as "one"', two: 'it is being imported as "two"'});
		await engine.cancel({id: operation!.id, by});
		expect(await engine.wait({id: operation!.id})).toMatchObject({state: 'cancelled'});
		expect(await engine.list()).toEqual([]);
	});

	test('one that is started while it waits for its turn is left', async () => {
		const data = new MultipassData();
		data.add('one');
		const disk = data.add('two');
		const {engine, hypervisor} = await home(data);
		let go = () => {};
		hypervisor.before.set('create', () => new Promise<void>(resolve => (go = resolve)));
		const {operation} = await engine.importInstances({by});
		await until(
			() => hypervisor.calls,
			calls => calls.some(call => call.startsWith('create')),
		);
		const holder = spawn('qemu-io', [disk], {stdio: ['pipe', 'pipe', 'ignore']});
		onTestFinished(() => void holder.kill('SIGKILL'));
		holder.stdin.write('write 0 512\n');
		await new Promise(resolve => holder.stdout.once('data', resolve));
		go();
		expect(await engine.wait({id: operation!.id})).toMatchObject({
			state: 'failed',
			items: [{state: 'done'}, {state: 'failed', error: {message: '"two" is not imported: it runs'}}],
		});
		expect((await engine.list()).map(({name}) => name)).toEqual(['one']);
	});
});
