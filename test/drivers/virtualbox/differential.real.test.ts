import {mkdir, truncate, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {execa} from 'execa';
import {afterAll, describe, expect, test} from 'vitest';
import {readSettings} from '../../../source/drivers/virtualbox/files.ts';
import {parseInfo, parseLong, parseMachines} from '../../../source/drivers/virtualbox/parse.ts';
import {nocloudIso} from '../../../source/guest/iso.ts';
import {findOnPath} from '../../support/find-program.ts';
import {realVirtualBox} from '../../support/virtualbox/real.ts';
import {standIn} from '../../support/virtualbox/stand-in.ts';

const id = '11111111-2222-4333-8444-555555555555';
const name = 'drover-web-11111111';

/** One script of everything that needs no machine to run, in an order that carries over. `DIR` is a directory of each side's own. */
const script: readonly (readonly string[])[] = [
	['--version'],
	['list', 'vms'],
	['list', 'runningvms'],
	['createvm', '--name', name, '--uuid', id, '--basefolder', 'DIR', '--ostype', 'Linux_64', '--register'],
	['createvm', '--name', name, '--uuid', id, '--basefolder', 'DIR', '--ostype', 'Linux_64', '--register'],
	['createvm', '--name', 'x', '--uuid', id, '--basefolder', 'DIR', '--ostype', 'Linux_64', '--register'],
	['createvm', '--name', 'y', '--basefolder', 'DIR', '--ostype', 'Nope_64', '--register'],
	[
		'createvm',
		'--name',
		'my vm "q" é',
		'--uuid',
		id.replace(/^1/, '2'),
		'--basefolder',
		'DIR',
		'--ostype',
		'Linux_64',
		'--register',
	],
	[
		'createvm',
		'--name',
		'a/b',
		'--uuid',
		id.replace(/^1/, '3'),
		'--basefolder',
		'DIR',
		'--ostype',
		'Linux_64',
		'--register',
	],
	['list', 'vms'],
	['showvminfo', id, '--machinereadable'],
	['showvminfo', 'nosuchvm', '--machinereadable'],
	['clonemedium', 'disk', 'DIR/image.qcow2', 'DIR/disk.part.vdi', '--format', 'VDI'],
	['clonemedium', 'disk', 'DIR/image.qcow2', 'DIR/disk.part.vdi', '--format', 'VDI'],
	['clonemedium', 'disk', 'DIR/empty.qcow2', 'DIR/no.vdi', '--format', 'VDI'],
	['clonemedium', 'disk', 'DIR/image.raw', 'DIR/no.vdi', '--format', 'VDI'],
	['clonemedium', 'disk', 'DIR/nothing', 'DIR/no.vdi', '--format', 'VDI'],
	['convertfromraw', 'DIR/image.raw', 'DIR/raw.vdi', '--format', 'VDI'],
	['list', 'hdds'],
	['closemedium', 'disk', 'DIR/image.qcow2'],
	['modifymedium', 'disk', 'DIR/disk.part.vdi', '--resizebyte', '536870912'],
	['modifymedium', 'disk', 'DIR/disk.part.vdi', '--resizebyte', '536870912'],
	['modifymedium', 'disk', 'DIR/disk.part.vdi', '--resizebyte', '134217728'],
	['list', 'hdds'],
	['storagectl', id, '--name', 'IDE', '--add', 'ide', '--controller', 'PIIX4', '--bootable', 'on'],
	['storagectl', id, '--name', 'IDE', '--add', 'ide', '--controller', 'PIIX4', '--bootable', 'on'],
	['showvminfo', id, '--machinereadable'],
	[
		'storageattach',
		id,
		'--storagectl',
		'IDE',
		'--port',
		'0',
		'--device',
		'0',
		'--type',
		'hdd',
		'--medium',
		'DIR/nothing.vdi',
	],
	[
		'storageattach',
		id,
		'--storagectl',
		'IDE',
		'--port',
		'0',
		'--device',
		'0',
		'--type',
		'hdd',
		'--medium',
		'DIR/disk.part.vdi',
	],
	[
		'storageattach',
		id,
		'--storagectl',
		'IDE',
		'--port',
		'1',
		'--device',
		'0',
		'--type',
		'dvddrive',
		'--medium',
		'DIR/seed.iso',
	],
	['list', 'dvds'],
	[
		...['modifyvm', id, '--cpus', '2', '--memory', '256', '--chipset', 'piix3', '--firmware', 'bios', '--acpi', 'on'],
		...[
			'--ioapic',
			'on',
			'--rtcuseutc',
			'on',
			'--boot1',
			'disk',
			'--boot2',
			'none',
			'--boot3',
			'none',
			'--boot4',
			'none',
		],
		...[
			'--graphicscontroller',
			'vmsvga',
			'--vram',
			'16',
			'--audio-enabled',
			'off',
			'--usb-ohci',
			'off',
			'--vrde',
			'off',
		],
		...['--uart1', '0x3f8', '4', '--uartmode1', 'file', 'DIR/console.log', '--nic1', 'nat', '--nictype1', 'virtio'],
		...['--macaddress1', '525400AA0001', '--cableconnected1', 'on'],
	],
	['modifyvm', id, '--cpus', '65'],
	['modifyvm', id, '--memory', '1'],
	['modifyvm', id, '--natpf1', 'drover-ssh,tcp,127.0.0.1,2222,,22'],
	['modifyvm', id, '--natpf1', 'drover-ssh,tcp,127.0.0.1,2223,,22'],
	['modifyvm', id, '--natpf1', 'delete', 'drover-ssh', '--natpf1', 'drover-ssh,tcp,127.0.0.1,2224,,22'],
	['modifyvm', id, '--natpf1', 'delete', 'nothing'],
	['modifyvm', id, '--natpf1', 'drover-udp-53,udp,,5353,,53', '--natpf1', 'drover-a,tcp,127.0.0.1,80,,80'],
	['showvminfo', id, '--machinereadable'],
	[
		'modifyvm',
		id,
		'--nic2',
		'bridged',
		'--bridgeadapter2',
		'nosuch0',
		'--nictype2',
		'virtio',
		'--macaddress2',
		'525400AA0002',
		'--cableconnected2',
		'on',
	],
	['modifyvm', id, '--nic9', 'bridged', '--bridgeadapter9', 'nosuch0'],
	['modifyvm', id, '--description', 'line1\nline2="x" \\'],
	['showvminfo', id, '--machinereadable'],
	['setextradata', id, 'drover/owner', 'abc'],
	['getextradata', id, 'drover/owner'],
	['getextradata', id, 'drover/none'],
	...['poweroff', 'acpipowerbutton', 'savestate', 'pause', 'resume'].map(verb => ['controlvm', id, verb]),
	['controlvm', id, 'natpf1', 'x,tcp,,80,,80'],
	['startvm', id, '--type', 'emergencystop'],
	['startvm', 'nosuchvm', '--type', 'headless'],
	['discardstate', id],
	['metrics', 'query', id, 'CPU/Load/User'],
	['adoptstate', id, 'DIR/none.sav'],
	['showvminfo', id, '--machinereadable'],
	['modifyvm', id, '--memory', '512'],
	['modifyvm', id, '--natpf1', 'delete', 'drover-a'],
	['discardstate', id],
	['showvminfo', id, '--machinereadable'],
	['closemedium', 'disk', 'DIR/disk.part.vdi'],
	['unregistervm', id],
	['unregistervm', id],
	['list', 'vms'],
	['list', 'hdds'],
	['list', 'dvds'],
	['hostonlynet', 'add'],
	['list', 'hostonlyifs'],
];

type Side = {readonly program: string; readonly directory: string};

async function say({program, directory}: Side, args: readonly string[]) {
	const {exitCode, stdout, stderr} = await execa(
		program,
		args.map(arg => arg.replace(/^DIR/, directory)),
		{reject: false, timeout: 60_000, stripFinalNewline: false},
	);
	return {exitCode, stdout, stderr};
}

function linesOf({exitCode, stdout, stderr}: Awaited<ReturnType<typeof say>>): string[] {
	return [`exit ${exitCode}`, ...stdout.split('\n'), '--', ...stderr.split('\n')].filter(line => line !== '');
}

/** Ids and times that are made up, usage texts, and places in the source are no differences. */
function plain(text: string, {directory}: Side): string {
	return text
		.replaceAll(directory, 'DIR')
		.replace(/(?!\d1{7}|[123]1{7})\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/g, 'UUID')
		.replace(/\d{4}-\d\d-\d\dT[\d:]+\.\d+/g, 'TIME')
		.replace(/080027[\dA-F]{6}/g, 'MAC')
		.replace(/^VBoxManage: error: Context: .*\n/gm, '')
		.replace(/^Oracle VirtualBox Command Line[\s\S]*?(?=^VBoxManage: error)/gm, '')
		.replace(/^(VBoxManage: error: (?:Invalid command|Unknown subcommand) .*\n)[\s\S]*/m, '$1')
		.replace(/^(CfgFile|SnapFldr|LogFldr|NvramFile)=.*$/gm, line => line.normalize());
}

const real = await realVirtualBox();
const missing = findOnPath('qemu-img') === undefined ? 'qemu-img is not installed, which makes its images' : undefined;
const reason = typeof real === 'string' ? real : missing;

if (typeof real === 'string' || missing !== undefined) {
	describe(`the stand-in beside the real VBoxManage (${reason})`, () => test.skip('needs the real one', () => {}));
} else {
	describe('the stand-in beside the real VBoxManage', {timeout: 240_000}, async () => {
		const stand = await standIn();
		const sides: readonly Side[] = [
			{program: real.program, directory: path.join(real.directory, 'w')},
			{program: stand.program, directory: path.join(stand.home, 'w')},
		];
		afterAll(async () => {
			await stand.close();
			await real.close();
		}, 60_000);

		test('answers the same to everything that needs no machine to run', async () => {
			for (const {directory} of sides) {
				await mkdir(directory);
				await writeFile(path.join(directory, 'image.raw'), Buffer.alloc(3 * 2 ** 20, 'drover'));
				await truncate(path.join(directory, 'image.raw'), 160 * 2 ** 20);
				const image = (file: string) => path.join(directory, file);
				await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', image('image.raw'), image('image.qcow2')]);
				await execa('qemu-img', ['create', '-q', '-f', 'qcow2', image('empty.qcow2'), '160M']);
				await writeFile(image('seed.iso'), nocloudIso({'meta-data': 'a', 'user-data': 'b'}));
			}
			const differences: unknown[] = [];
			for (const args of script) {
				const [expected, found] = (await Promise.all(
					sides.map(async side => {
						const answer = await say(side, args);
						return {...answer, stdout: plain(answer.stdout, side), stderr: plain(answer.stderr, side)};
					}),
				)) as [Awaited<ReturnType<typeof say>>, Awaited<ReturnType<typeof say>>];
				const [is, should] = [found, expected].map(linesOf) as [string[], string[]];
				if (is.join('\n') === should.join('\n')) continue;
				differences.push({
					command: args.join(' '),
					stands: is.filter(line => !should.includes(line)),
					real: should.filter(line => !is.includes(line)),
				});
			}
			expect(differences).toEqual([]);
		});

		test('what drover reads out of long lists and settings files is the same', async () => {
			const other = id.replace(/^1/, '2');
			const read = async (side: Side) => {
				const {stdout} = await say(side, ['list', '--long', 'vms']);
				const long = parseLong(stdout);
				const place = {directory: side.directory, sockets: side.directory};
				const settings = async () => {
					const found = await readSettings({id: other, name: 'q'} as never, place);
					return (
						found && {file: found.file.replace(side.directory, ''), state: found.stateFile?.replace(side.directory, '')}
					);
				};
				const before = await settings();
				await say(side, ['adoptstate', other, 'DIR/other.sav']);
				const saved = [
					await settings(),
					parseInfo((await say(side, ['showvminfo', other, '--machinereadable'])).stdout).get('VMState'),
				];
				await say(side, ['discardstate', other]);
				return {
					states: [...long].map(([key, {state, since}]) => [key, state, typeof since]),
					settings: [before, ...saved, await settings()],
					machines: parseMachines((await say(side, ['list', 'vms'])).stdout),
				};
			};
			const [expected, found] = await Promise.all(sides.map(read));
			expect(found).toEqual(expected);
			expect(expected!.settings).toEqual([
				{file: '/my vm _q_ é/my vm _q_ é.vbox', state: undefined},
				{file: '/my vm _q_ é/my vm _q_ é.vbox', state: '/other.sav'},
				'saved',
				{file: '/my vm _q_ é/my vm _q_ é.vbox', state: undefined},
			]);
		});
	});
}
