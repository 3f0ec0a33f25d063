import {spawn} from 'node:child_process';
import {connect} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {addressOf, type Machine, type State} from './state.ts';

/** Boots a machine as a process that outlives the script. @returns its pid */
export function boot(state: State, machine: Machine, record: string): number {
	const [program, args] =
		state.behaviour.guests === 'qemu'
			? (['qemu-system-x86_64', qemuArguments(state, machine, record)] as const)
			: ([process.execPath, ['-e', sleeper, machine.vm, record]] as const);
	const child = spawn(program, args, {detached: true, stdio: 'ignore', cwd: state.directory});
	child.unref();
	if (child.pid === undefined) throw new Error(`${program} could not be started`);
	return child.pid;
}

/** A guest that only can be asked to end. */
const sleeper = "process.on('SIGTERM', () => setTimeout(() => process.exit(), 50)); setInterval(() => {}, 1000);";

function monitorOf(state: State, machine: Machine): string {
	return path.join(state.directory, `${machine.vm.slice(0, 8)}.qmp`);
}

/** A real guest, with the VHDX as its disk; the first interface is reached at an address of this host. */
function qemuArguments(state: State, machine: Machine, record: string): string[] {
	const [first] = machine.nics;
	return [
		...['-name', machine.vm, '-uuid', record, '-machine', 'pc', '-accel', 'tcg,tb-size=64'],
		...['-cpu', 'qemu64,hypervisor=on,lahf-lm=on', '-m', String(Math.floor(machine.memory / 2 ** 20))],
		...['-smp', String(machine.cpus), '-display', 'none', '-no-user-config', '-nodefaults', '-rtc', 'base=utc'],
		...['-drive', `file=${machine.disk},format=vhdx,if=virtio,id=disk0`],
		...['-drive', `file=${machine.seed},format=raw,if=virtio,readonly=on,id=seed0`],
		...['-device', 'virtio-rng-pci', '-serial', `file:${path.join(state.directory, `${machine.vm}.console`)}`],
		...['-netdev', `user,id=n0,hostfwd=tcp:${addressOf(first?.mac ?? '')}:22-:22`],
		...['-device', `virtio-net-pci,netdev=n0,romfile=,mac=${colons(first?.mac ?? '')}`],
		...['-qmp', `unix:${monitorOf(state, machine)},server=on,wait=off`],
	];
}

function colons(mac: string): string {
	return mac.replace(/(..)(?!$)/g, '$1:').toLowerCase();
}

/** Asks a guest to power off. */
export function askToEnd(state: State, machine: Machine): Promise<void> {
	if (state.behaviour.guests !== 'qemu') {
		if (machine.pid !== undefined) process.kill(machine.pid, 'SIGTERM');
		return Promise.resolve();
	}
	return new Promise((resolve, reject) => {
		const socket = connect(monitorOf(state, machine));
		let text = '';
		socket.setTimeout(5000, () => socket.destroy(new Error('QEMU does not answer')));
		socket.once('error', reject);
		socket.once('connect', () => socket.write('{"execute":"qmp_capabilities"}{"execute":"system_powerdown","id":1}'));
		socket.on('data', chunk => {
			text += chunk;
			if (!text.includes('"id": 1')) return;
			socket.end();
			resolve();
		});
	});
}
