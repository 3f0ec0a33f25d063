import {type ChildProcess, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {
	createReadStream,
	existsSync,
	mkdirSync,
	openSync,
	readSync,
	rmSync,
	statSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import {createServer} from 'node:net';
import path from 'node:path';
import {connectQmp, type Qmp} from '../../../../source/drivers/qemu/qmp.ts';
import {dataOf} from './media.ts';
import type {Machine} from './model.ts';
import type {World} from './world.ts';

/** The head of a saved state: the real one's magic, a digest of what follows, and filling. */
const headLength = 128;
const magic = '\x7fVirtualBox SavedState V2.0\n';

/** The process of a machine that runs. */
export type Guest = {
	readonly process: ChildProcess;
	/** Presses its power button; it may do nothing about it. */
	press(): Promise<void>;
	pause(): Promise<void>;
	resume(): Promise<void>;
	/** Saves its memory and ends it. */
	save(file: string): Promise<void>;
	/** Cuts its power. */
	end(): Promise<void>;
	/** A rule that is made or taken away while it runs. */
	rule(rule: string, isMade: boolean): Promise<void>;
};

export type StartFailure = {readonly failure: string};

/** Starts the process of a machine, out of its saved state where it has one. */
export async function startGuest(world: World, machine: Machine): Promise<Guest | StartFailure> {
	const saved = machine.stateFile;
	if (saved !== undefined) {
		const problem = await savedProblem(saved);
		if (problem !== undefined) return {failure: problem};
	}
	const guest = world.behaviour.guest === 'qemu' ? await qemu(world, machine, saved) : idle(world, machine, saved);
	if ('process' in guest) writeLog(machine, guest.process.pid!);
	return guest;
}

function writeLog({directory}: Machine, pid: number): void {
	mkdirSync(path.join(directory, 'Logs'), {recursive: true, mode: 0o700});
	const lines = ['VirtualBox VM 7.2.22 r175245 linux.amd64 log opened', 'Package type: LINUX_64BITS_GENERIC'];
	writeFileSync(
		path.join(directory, 'Logs', 'VBox.log'),
		[...lines, `Process ID: ${pid} (0x${pid.toString(16)})`, ''].map(line => `00:00:00.100000 ${line}`).join('\n'),
	);
}

async function digest(file: string): Promise<string> {
	const hash = createHash('sha256');
	for await (const chunk of createReadStream(file, {start: headLength})) hash.update(chunk as Buffer);
	return hash.digest('hex');
}

async function savedProblem(file: string): Promise<string | undefined> {
	if (!existsSync(file)) return `Could not open the saved state file '${file}' (VERR_FILE_NOT_FOUND)`;
	const descriptor = openSync(file, 'r');
	const head = Buffer.alloc(headLength);
	readSync(descriptor, head, 0, headLength, 0);
	const text = head.toString('latin1');
	if (!text.startsWith(magic)) return `The saved state file '${file}' is not one (VERR_SSM_INTEGRITY_MAGIC)`;
	const written = text.slice(magic.length, magic.length + 64);
	return written === (await digest(file)) ? undefined : 'The saved state is damaged (VERR_SSM_STREAM_ERROR)';
}

async function finishSaved(file: string): Promise<void> {
	const text = await digest(file);
	const descriptor = openSync(file, 'r+');
	writeSync(descriptor, `${magic}${text}`.padEnd(headLength, '\0'), 0, 'latin1');
}

/** A machine that only is there. */
function idle(world: World, machine: Machine, saved: string | undefined): Guest {
	// What names the machine in the list of processes is what the real one is called with.
	const child = spawn('sleep', ['100000'], {
		argv0: `VBoxHeadless --comment ${machine.name} --startvm ${machine.id}`,
		stdio: 'ignore',
		detached: true,
	});
	if (saved !== undefined) rmSync(saved, {force: true});
	return {
		process: child,
		async press() {
			if (!world.behaviour.isDeaf) setTimeout(() => child.kill('SIGKILL'), 100);
		},
		pause: async () => {},
		resume: async () => {},
		async save(file) {
			await new Promise(resolve => setTimeout(resolve, world.behaviour.saveMs ?? 50));
			writeFileSync(file, 'x'.repeat(4096).padStart(4096 + headLength, '\0'), {mode: 0o600});
			await finishSaved(file);
			child.kill('SIGKILL');
		},
		end: async () => void child.kill('SIGKILL'),
		rule: async () => {},
	};
}

const forwardOf = (rule: string) => {
	const [, protocol, address, host, , guest] = rule.split(',');
	return {protocol: protocol!, address: address!, host: Number(host), guest: Number(guest)};
};

/** Whether a port can be had: VirtualBox starts without one that cannot, and says so in its log only. */
function isFree({protocol, address, host}: ReturnType<typeof forwardOf>): Promise<boolean> {
	if (protocol === 'udp') return Promise.resolve(true);
	return new Promise(resolve => {
		const server = createServer();
		server.once('error', () => resolve(false));
		server.listen({host: address || '0.0.0.0', port: host, exclusive: true}, () => server.close(() => resolve(true)));
	});
}

/** A machine whose guest is a real one, under QEMU's software emulation, on the devices that VirtualBox gives. */
async function qemu(world: World, machine: Machine, saved: string | undefined): Promise<Guest | StartFailure> {
	const {id, name, cpus, memory, nics, attachments, uart} = machine;
	const monitor = path.join(world.home, `${id.slice(0, 8)}.sock`);
	rmSync(monitor, {force: true});
	const forwards: string[] = [];
	const inForce = new Set<string>();
	for (const rule of nics[0]!.rules) {
		const forward = forwardOf(rule);
		if (!(await isFree(forward))) continue;
		inForce.add(rule);
		forwards.push(`hostfwd=${forward.protocol}:${forward.address}:${forward.host}-:${forward.guest}`);
	}
	const disk = attachments.find(({kind}) => kind === 'hdd')!;
	const data = dataOf(disk.path);
	const dvd = attachments.find(({kind}) => kind === 'dvddrive');
	const console = uart?.mode.startsWith('file,') ? uart.mode.slice(5) : '/dev/null';
	const mac = (text: string) => text.match(/../g)!.join(':');
	const args = [
		...['-name', name, '-uuid', id, '-machine', 'pc', '-accel', 'tcg,tb-size=64', '-cpu', 'qemu64,hypervisor=on'],
		...['-m', String(memory), '-smp', String(cpus), '-display', 'none', '-nodefaults', '-no-user-config'],
		...['-blockdev', `driver=file,node-name=f0,filename=${disk.path}`],
		...['-blockdev', `driver=raw,node-name=d0,file=f0,offset=${data.offset},size=${data.size}`],
		...['-device', 'ide-hd,bus=ide.0,unit=0,drive=d0,bootindex=1'],
		...(dvd
			? [
					'-drive',
					`if=none,id=d1,format=raw,readonly=on,media=cdrom,file=${dvd.path}`,
					'-device',
					'ide-cd,bus=ide.1,unit=0,drive=d1',
				]
			: []),
		...['-chardev', `file,id=uart,path=${console},append=on`, '-device', 'isa-serial,chardev=uart'],
		...['-netdev', ['user', 'id=n0', ...forwards].join(',')],
		...['-device', `virtio-net-pci,netdev=n0,romfile=,mac=${mac(nics[0]!.mac)}`],
		...['-qmp', `unix:${monitor},server=on,wait=off`],
		...(saved === undefined ? [] : ['-incoming', `exec:tail -c +${headLength + 1} '${saved}'`]),
	];
	const child = spawn('qemu-system-x86_64', args, {stdio: ['ignore', 'ignore', 'pipe'], detached: true});
	let stderr = '';
	child.stderr!.on('data', chunk => {
		stderr += String(chunk);
	});
	(child.stderr as unknown as {unref(): void}).unref();
	for (let tries = 0; !existsSync(monitor); tries++) {
		if (child.exitCode === null && child.signalCode === null && tries < 3000) {
			await new Promise(resolve => setTimeout(resolve, 20));
			continue;
		}
		child.kill('SIGKILL');
		return {failure: stderr.trim() || 'the process does not answer'};
	}
	const timeoutMs = 60_000;
	const with_ = async <Result>(act: (qmp: Qmp) => Promise<Result>): Promise<Result> => {
		// Busy hosts take their time.
		const qmp = await connectQmp(monitor, {timeoutMs});
		try {
			return await act({...qmp, execute: (command, parameters) => qmp.execute(command, parameters, {timeoutMs})});
		} finally {
			qmp.close();
		}
	};
	const until = async (qmp: Qmp, command: string, isDone: (status: string) => boolean) => {
		for (;;) {
			const {status} = (await qmp.execute(command)) as {status: string};
			if (isDone(status)) return status;
			await new Promise(resolve => setTimeout(resolve, 50));
		}
	};
	try {
		await with_(async qmp => until(qmp, 'query-status', status => status !== 'inmigrate'));
		if (saved !== undefined) {
			await with_(qmp => qmp.execute('cont'));
			rmSync(saved, {force: true});
		}
	} catch (error) {
		child.kill('SIGKILL');
		return {failure: stderr.trim() || (error as Error).message};
	}
	const end = async () => {
		await with_(qmp => qmp.execute('quit')).catch(() => child.kill('SIGKILL'));
	};
	return {
		process: child,
		press: async () => void (await with_(qmp => qmp.execute('system_powerdown')).catch(() => {})),
		pause: async () => void (await with_(qmp => qmp.execute('stop'))),
		resume: async () => void (await with_(qmp => qmp.execute('cont'))),
		end,
		async save(file) {
			writeFileSync(file, Buffer.alloc(headLength), {mode: 0o600});
			await with_(async qmp => {
				await qmp.execute('stop');
				await qmp.execute('migrate-set-parameters', {'max-bandwidth': 10 ** 12});
				await qmp.execute('migrate', {uri: `exec:cat >> '${file}'`});
				const status = await until(qmp, 'query-migrate', each => ['completed', 'failed'].includes(each));
				if (status === 'failed') throw new Error('saving failed');
			});
			await new Promise(resolve => setTimeout(resolve, 100));
			for (let size = -1; size !== statSync(file).size; ) {
				size = statSync(file).size;
				await new Promise(resolve => setTimeout(resolve, 50));
			}
			await finishSaved(file);
			await end();
		},
		async rule(rule, isMade) {
			const {protocol, address, host, guest} = forwardOf(rule);
			if (isMade === inForce.has(rule)) return;
			const at = `${protocol}:${address}:${host}`;
			const line = isMade ? `hostfwd_add n0 ${at}-:${guest}` : `hostfwd_remove n0 ${at}`;
			await with_(qmp => qmp.execute('human-monitor-command', {'command-line': line}));
			if (isMade) inForce.add(rule);
			else inForce.delete(rule);
		},
	};
}
