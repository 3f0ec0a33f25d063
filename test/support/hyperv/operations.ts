import {execFileSync} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {askToEnd, boot} from './guests.ts';
import {addressOf, defaultSwitch, isAlive, type Machine, type State, stateOf} from './state.ts';

type Args = Readonly<Record<string, unknown>> & {owner?: string; machine?: string};

/** An error as Hyper-V's module has them. */
export class Failure extends Error {
	readonly id: string;
	readonly category: string;
	readonly hresult: number;

	constructor(id: string, category: string, message: string, hresult = 0) {
		super(message);
		this.id = id;
		this.category = category;
		this.hresult = hresult;
	}
}

/** Called in the middle of what is made of several steps: where a script may end its life. */
export type Between = () => void;

const markPattern = /^drover:([0-9a-f]{16}):([0-9a-f-]{36}):(making|ready)$/m;

function markOf({notes}: Machine): {owner: string; machine: string; phase: string} | undefined {
	const found = markPattern.exec(notes);
	return found ? {owner: found[1]!, machine: found[2]!, phase: found[3]!} : undefined;
}

function notesFor(args: Args, phase: string): string {
	return `drover looks after this virtual machine by the next line.\ndrover:${args.owner}:${args.machine}:${phase}`;
}

function find(state: State, args: Args): Machine | undefined {
	return state.machines().find(machine => {
		const mark = markOf(machine);
		return mark?.owner === args.owner && mark?.machine === args.machine;
	});
}

function get(state: State, args: Args): Machine {
	const found = find(state, args);
	if (found) return found;
	throw new Failure('drover.MachineMissing', 'ObjectNotFound', 'Hyper-V has no such virtual machine.');
}

const short = (machine: Machine) => ({vm: machine.vm, state: stateOf(machine)});

function assertOff(machine: Machine): void {
	if (stateOf(machine) !== 'Off') {
		throw new Failure('drover.NotOff', 'InvalidOperation', `The virtual machine is ${stateOf(machine)}.`);
	}
}

function qemuImg(...args: string[]): string {
	return execFileSync('qemu-img', args, {encoding: 'utf8'});
}

function diskSize(file: string): number {
	return (JSON.parse(qemuImg('info', '--output=json', '-f', 'vhdx', file)) as {'virtual-size': number})['virtual-size'];
}

/** `Resize-VHD`, which qemu-img has nothing for. */
function growDisk(file: string, size: number): void {
	const raw = `${file}.raw`;
	qemuImg('convert', '-f', 'vhdx', '-O', 'raw', file, raw);
	truncateSync(raw, size);
	qemuImg('convert', '-f', 'raw', '-O', 'vhdx', '-o', 'subformat=dynamic', raw, file);
	rmSync(raw);
}

function turnOff(state: State, machine: Machine): void {
	if (isAlive(machine)) process.kill(machine.pid!, 'SIGKILL');
	for (const deadline = Date.now() + 5000; isAlive(machine) && Date.now() < deadline; ) {
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
	}
	state.change(machine.vm, each => {
		delete each.state;
		delete each.pid;
	});
}

function addNic(state: State, machine: Machine, nic: {mac: string; switch: string}): void {
	if (!state.switches.some(({name}) => name === nic.switch)) {
		throw new Failure('drover.NoSwitch', 'ObjectNotFound', 'There is no such switch.');
	}
	if (machine.nics.some(({mac}) => mac === nic.mac)) return;
	state.change(machine.vm, each => void each.nics.push({...nic}));
}

function create(state: State, args: Args, between: Between): unknown {
	const found = find(state, args);
	if (found) {
		if (markOf(found)?.phase === 'ready') return short(found);
		state.drop(found.vm);
	}
	for (const machine of state.machines()) {
		if (machine.name === args['name'] && machine.notes === '' && machine.place === args['place'])
			state.drop(machine.vm);
	}
	if (!state.switches.some(({id}) => id === defaultSwitch)) {
		throw new Failure('drover.NoDefaultSwitch', 'ObjectNotFound', 'There is no Default Switch.');
	}
	for (const key of ['disk', 'seed']) {
		if (!existsSync(String(args[key]))) {
			throw new Failure(
				'ObjectNotFound,Microsoft.HyperV.PowerShell.Commands.NewVM',
				'ObjectNotFound',
				`${args[key]} is missing`,
			);
		}
	}
	const machine: Machine = {
		vm: randomUUID(),
		name: String(args['name']),
		notes: '',
		place: String(args['place']),
		disk: String(args['disk']),
		seed: String(args['seed']),
		cpus: Number(args['cpus']),
		memory: Number(args['memory']),
		secureBoot: Boolean(args['secureBoot']),
		nics: [{mac: String(args['mac']), switch: 'Default Switch'}],
		checkpoints: [],
	};
	state.put(machine);
	between();
	state.change(machine.vm, each => {
		each.notes = notesFor(args, 'making');
	});
	between();
	try {
		for (const nic of args['nics'] as Array<{mac: string; switch: string}>) addNic(state, machine, nic);
	} catch (error) {
		state.drop(machine.vm);
		throw error;
	}
	state.change(machine.vm, each => {
		each.notes = notesFor(args, 'ready');
	});
	return short(get(state, args));
}

async function start(state: State, args: Args): Promise<unknown> {
	const machine = get(state, args);
	if (machine.memory > (state.behaviour.memoryLimit ?? Number.POSITIVE_INFINITY)) {
		throw new Failure(
			'OutOfMemory,Microsoft.HyperV.PowerShell.Commands.StartVM',
			'ResourceUnavailable',
			'Nicht genug Arbeitsspeicher.',
			-2147024882,
		);
	}
	if (!existsSync(machine.disk)) {
		throw new Failure(
			'ObjectNotFound,Microsoft.HyperV.PowerShell.Commands.StartVM',
			'ObjectNotFound',
			'Datei fehlt',
			-2147024894,
		);
	}
	state.change(machine.vm, each => {
		if (stateOf(each) === 'Paused') delete each.state;
		else if (stateOf(each) !== 'Running') {
			delete each.state;
			each.pid = boot(state, each, args.machine!);
			each.startedAt = Date.now();
		}
	});
	// A process has its name a moment after it was started.
	for (const deadline = Date.now() + 2000; Date.now() < deadline && stateOf(get(state, args)) !== 'Running'; )
		await sleep(5);
	const now = get(state, args);
	if (stateOf(now) === 'Running') return short(now);
	throw new Failure(
		'Unspecified,Microsoft.HyperV.PowerShell.Commands.StartVM',
		'NotSpecified',
		'Der virtuelle Computer konnte nicht gestartet werden.',
	);
}

function list(state: State, args: Args): unknown {
	const addresses = state.behaviour.addresses ?? 'told';
	return {
		machines: state.machines().flatMap(machine => {
			const mark = markOf(machine);
			if (mark?.owner !== args.owner) return [];
			const current = stateOf(machine);
			return [
				{
					vm: machine.vm,
					machine: mark?.machine,
					phase: mark?.phase,
					name: machine.name,
					state: current,
					uptime: current === 'Running' ? Math.floor((Date.now() - (machine.startedAt ?? 0)) / 1000) : 0,
					nics: machine.nics.map((nic, index) => ({
						...nic,
						ipv4:
							current === 'Running' && index === 0 && addresses === 'told' ? ['169.254.1.1', addressOf(nic.mac)] : [],
					})),
				},
			];
		}),
	};
}

function sample(state: State, args: Args): unknown {
	return {
		samples: state.machines().flatMap(machine => {
			const mark = markOf(machine);
			if (mark?.owner !== args.owner || stateOf(machine) !== 'Running') return [];
			const fields = readFileSync(`/proc/${machine.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
			const ticks = Number(fields[11]) + Number(fields[12]);
			return [{machine: mark?.machine, assigned: machine.memory, demand: machine.memory / 2, processor: ticks / 100}];
		}),
	};
}

/** What the script of drover's does in Hyper-V, done with files and processes. */
export async function perform(state: State, op: string, args: Args, between: Between): Promise<unknown> {
	switch (op) {
		case 'health':
			return {
				...{windows: '10.0.22631', sku: 48, hypervisor: true, module: '2.0.0.0', service: 'Running'},
				...{elevated: false, member: true, access: 'yes'},
				defaultSwitch: state.switches.some(({id}) => id === defaultSwitch),
				...state.behaviour.health,
			};
		case 'list':
			return list(state, args);
		case 'inspect': {
			const machine = get(state, args);
			return {pid: isAlive(machine) ? machine.pid : 0, state: stateOf(machine)};
		}
		case 'networks':
			return {default: defaultSwitch, switches: state.switches};
		case 'sample':
			return sample(state, args);
		case 'create':
			return create(state, args, between);
		case 'start':
			return start(state, args);
		case 'shut-down': {
			const machine = get(state, args);
			if (state.behaviour.guests === 'deaf') {
				throw new Failure('drover.GuestSilent', 'ResourceUnavailable', 'The guest cannot be asked yet.');
			}
			if (stateOf(machine) === 'Running') await askToEnd(state, machine);
			return short(get(state, args));
		}
		case 'turn-off':
			turnOff(state, get(state, args));
			return short(get(state, args));
		case 'remove': {
			const found = find(state, args);
			if (found) {
				turnOff(state, found);
				state.drop(found.vm);
			}
			for (const machine of state.machines()) {
				if (machine.name === args['name'] && machine.notes === '' && machine.place === args['place'])
					state.drop(machine.vm);
			}
			return {removed: true};
		}
		case 'resize':
			return resize(state, args);
		case 'add-nic': {
			const machine = get(state, args);
			assertOff(machine);
			addNic(state, machine, args['nic'] as {mac: string; switch: string});
			return short(machine);
		}
		case 'copy-disk': {
			const machine = get(state, args);
			assertOff(machine);
			qemuImg('convert', '-f', 'vhdx', '-O', 'vhdx', '-o', 'subformat=dynamic', machine.disk, String(args['to']));
			return short(machine);
		}
		default:
			if (op.startsWith('snapshot-')) return snapshot(state, op, args, between);
			throw new Failure('drover.NoSuchOperation', 'InvalidArgument', 'There is no such operation.');
	}
}

function resize(state: State, args: Args): unknown {
	const machine = get(state, args);
	assertOff(machine);
	if (args['disk'] !== undefined) {
		const [size, wanted] = [diskSize(machine.disk), Number(args['disk'])];
		if (size > wanted) throw new Failure('drover.DiskShrinks', 'InvalidArgument', String(size));
		if (size < wanted) {
			if (machine.checkpoints.length > 0)
				throw new Failure('drover.DiskInChain', 'InvalidOperation', 'The disk has checkpoints.');
			growDisk(machine.disk, wanted);
		}
	}
	state.change(machine.vm, each => {
		each.cpus = Number(args['cpus'] ?? each.cpus);
		each.memory = Number(args['memory'] ?? each.memory);
	});
	return short(machine);
}

function snapshot(state: State, op: string, args: Args, between: Between): unknown {
	const machine = get(state, args);
	const found = machine.checkpoints.find(({tag}) => tag === args['tag']);
	if (op === 'snapshot-remove') {
		if (found) {
			state.change(machine.vm, each => {
				each.checkpoints = each.checkpoints.filter(({tag}) => tag !== found.tag);
			});
			rmSync(found.file, {force: true});
		}
		return short(machine);
	}
	assertOff(machine);
	if (op === 'snapshot-take') {
		if (found) return short(machine);
		const file = path.join(machine.place, `${randomUUID()}.avhdx`);
		copyFileSync(machine.disk, file);
		between();
		state.change(machine.vm, each => void each.checkpoints.push({tag: String(args['tag']), file}));
		return short(machine);
	}
	if (!found) throw new Failure('drover.SnapshotMissing', 'ObjectNotFound', 'There is no such checkpoint.');
	copyFileSync(found.file, machine.disk);
	return {...short(machine), disk: diskSize(machine.disk)};
}

/** Ends every guest there is. */
export function endAll(state: State): void {
	for (const machine of state.machines()) turnOff(state, machine);
}

/** What an instance's directory holds on the disk, in bytes. */
export function bytesIn(directory: string): number {
	return readdirSync(directory).reduce((sum, name) => sum + statSync(path.join(directory, name)).size, 0);
}
