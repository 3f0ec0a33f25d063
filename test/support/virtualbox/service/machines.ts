import {randomBytes, randomUUID} from 'node:crypto';
import {existsSync} from 'node:fs';
import path from 'node:path';
import {openMedium} from './media.ts';
import {type Answer, codes, emptyNic, isOnline, type Machine, now, Refusal} from './model.ts';
import type {World} from './world.ts';

/** `--name value` pairs and what stands alone. */
export function optionsOf(args: readonly string[]): {options: Map<string, string>; words: string[]} {
	const options = new Map<string, string>();
	const words: string[] = [];
	for (let index = 0; index < args.length; index++) {
		const arg = args[index]!;
		if (!arg.startsWith('--')) words.push(arg);
		else if (['--register', '--delete', '--machinereadable', '--long'].includes(arg)) options.set(arg, '');
		else options.set(arg, args[++index] ?? '');
	}
	return {options, words};
}

export async function createvm(world: World, args: readonly string[]): Promise<Answer> {
	const {options} = optionsOf(args);
	const name = options.get('--name')!;
	const folder = name.replace(/[/\\:*?"<>|]/g, '_');
	const directory = path.join(options.get('--basefolder')!, folder);
	const file = path.join(directory, `${folder}.vbox`);
	const id = options.get('--uuid') ?? randomUUID();
	const ostype = options.get('--ostype') ?? 'Other';
	if (!['Linux_64', 'Ubuntu_64', 'Other'].includes(ostype)) {
		throw new Refusal('Unknown or invalid guest OS type given.');
	}
	if (existsSync(file)) throw new Refusal(`Machine settings file '${file}' already exists`, codes.machineFile);
	const other = world.machines.get(id);
	if (other) {
		throw new Refusal(
			`Registered machine with UUID {${id}} ('${other.file}') already exists`,
			'NS_ERROR_INVALID_ARG (0x80070057), component VirtualBoxWrap, interface IVirtualBox, callee nsISupports',
		);
	}
	const nics = Array.from({length: 8}, emptyNic);
	nics[0] = {...emptyNic(), kind: 'nat', mac: `080027${randomBytes(3).toString('hex').toUpperCase()}`};
	const machine: Machine = {
		id,
		name,
		ostype,
		directory,
		file,
		cpus: 1,
		memory: 1024,
		vram: 8,
		graphics: 'vboxvga',
		firmware: 'bios',
		boot: ['floppy', 'dvd', 'disk', 'none'],
		audio: 'default',
		nics,
		controllers: [],
		attachments: [],
		extra: {},
		description: '',
		state: 'poweroff',
		changed: now(),
	};
	world.machines.set(id, machine);
	world.keep(machine);
	return {
		out: `Virtual machine '${name}' is created and registered.\nUUID: ${id}\nSettings file: '${file}'\n`,
	};
}

export async function unregistervm(world: World, args: readonly string[]): Promise<Answer> {
	const {words} = optionsOf(args);
	if (world.unreadable.has(words[0]!)) {
		world.unreadable.delete(words[0]!);
		world.machines.delete(words[0]!);
		world.save();
		return {};
	}
	return world.change(words[0]!, machine => {
		if (isOnline(machine)) {
			throw new Refusal(`Cannot unregister the machine '${machine.name}' while it is locked`, codes.locked);
		}
		world.machines.delete(machine.id);
		// Disks go with their machine, and what was in its drives stays in the list.
		for (const {path: file, kind} of machine.attachments) if (kind === 'hdd') world.media.delete(file);
		world.save();
		return {};
	});
}

type Setter = (machine: Machine, value: string, slot: number, world: World) => string | undefined;

function natpf(machine: Machine, rule: string): undefined {
	const rules = machine.nics[0]!.rules;
	const name = rule.split(',')[0];
	if (rules.some(each => each.split(',')[0] === name)) {
		throw new Refusal(
			'A NAT rule of this name already exists',
			'NS_ERROR_INVALID_ARG (0x80070057), component NATEngineWrap, interface INATEngine, callee nsISupports',
		);
	}
	rules.push(rule);
	// The real one keeps them in the order of their names.
	rules.sort((a, b) => (a.split(',')[0]! < b.split(',')[0]! ? -1 : 1));
	return undefined;
}

/** @throws Refusal */
export function changeRules(machine: Machine, words: readonly string[]): void {
	if (words[0] !== 'delete') {
		natpf(machine, words[0]!);
		return;
	}
	const {rules} = machine.nics[0]!;
	const index = rules.findIndex(each => each.split(',')[0] === words[1]);
	if (index < 0) {
		throw new Refusal('Code NS_ERROR_INVALID_ARG (0x80070057) - Invalid argument value (extended info not available)');
	}
	rules.splice(index, 1);
}

const setters: Readonly<Record<string, Setter>> = {
	'--cpus'(machine, value) {
		if (Number(value) < 1 || Number(value) > 64) {
			throw new Refusal(`Invalid virtual CPU count: ${value} (must be in range [1, 64])`, codes.argument);
		}
		machine.cpus = Number(value);
		return undefined;
	},
	'--memory'(machine, value) {
		if (Number(value) < 4 || Number(value) > 2_097_152) {
			throw new Refusal(`Invalid RAM size: ${value} MB (must be in range [4, 2097152] MB)`, codes.argument);
		}
		machine.memory = Number(value);
		return undefined;
	},
	'--chipset': () => undefined,
	'--firmware'(machine, value) {
		machine.firmware = value;
		return undefined;
	},
	'--acpi': () => undefined,
	'--ioapic': () => undefined,
	'--rtcuseutc': () => undefined,
	'--graphicscontroller'(machine, value) {
		machine.graphics = value;
		return undefined;
	},
	'--vram'(machine, value) {
		machine.vram = Number(value);
		return undefined;
	},
	'--audio-enabled'(machine, value) {
		machine.audio = value === 'off' ? 'none' : 'default';
		return undefined;
	},
	'--usb-ohci': () => undefined,
	'--vrde': () => undefined,
	'--description'(machine, value) {
		machine.description = value;
		return undefined;
	},
	'--uartmode1': () => undefined,
	'--boot'(machine, value, slot) {
		machine.boot[slot - 1] = value;
		return undefined;
	},
	'--nic'(machine, value, slot) {
		const nic = machine.nics[slot - 1]!;
		nic.kind = value as (typeof nic)['kind'];
		if (nic.mac === '') nic.mac = `080027${randomBytes(3).toString('hex').toUpperCase()}`;
		return undefined;
	},
	'--nictype'(machine, value, slot) {
		machine.nics[slot - 1]!.type = value;
		return undefined;
	},
	'--macaddress'(machine, value, slot) {
		machine.nics[slot - 1]!.mac = value.toUpperCase();
		return undefined;
	},
	'--cableconnected': () => undefined,
	'--bridgeadapter'(machine, value, slot, world) {
		machine.nics[slot - 1]!.adapter = value;
		const {adapters = ['eth0']} = world.behaviour;
		return adapters.includes(value) ? undefined : `VBoxManage: warning: Interface "${value}" doesn't seem to exist\n`;
	},
	'--hostonlyadapter'(machine, value, slot) {
		machine.nics[slot - 1]!.adapter = value;
		return undefined;
	},
};

export async function modifyvm(world: World, args: readonly string[]): Promise<Answer> {
	const [what, ...rest] = args;
	return world.change(what!, machine => {
		if (isOnline(machine)) {
			throw new Refusal(
				`The machine '${machine.name}' is already locked for a session (or being unlocked)`,
				codes.locked,
			);
		}
		const copy = structuredClone(machine);
		let err = '';
		for (let index = 0; index < rest.length; ) {
			const option = rest[index++]!;
			const [, base = option, digits = ''] =
				/^(--(?:boot|nic|nictype|macaddress|cableconnected|bridgeadapter|hostonlyadapter))(\d+)$/.exec(option) ?? [];
			const isRule = option === '--natpf1';
			if (machine.stateFile !== undefined && !isRule && base !== '--description') {
				throw new Refusal('The machine is not mutable (state is Saved)', codes.state);
			}
			if (isRule) {
				const count = rest[index] === 'delete' ? 2 : 1;
				changeRules(copy, rest.slice(index, index + count));
				index += count;
				continue;
			}
			if (option === '--uart1') {
				copy.uart = {io: rest[index]!, irq: rest[index + 1]!, mode: 'disconnected'};
				index += 2;
				continue;
			}
			if (option === '--uartmode1') {
				copy.uart = {...copy.uart!, mode: `${rest[index]},${rest[index + 1]}`};
				index += 2;
				continue;
			}
			const set = setters[base];
			if (set === undefined) throw new Refusal(`Unknown option: ${option}`);
			const value = rest[index++] ?? '';
			// It says so, and goes on with what stands after it as if all were well.
			if (Number(digits) > 8) {
				err += `VBoxManage: error: Invalid NIC number ${digits}\n`;
				continue;
			}
			err += set(copy, value, Number(digits), world) ?? '';
		}
		Object.assign(machine, copy);
		world.keep(machine);
		return {err};
	});
}

export async function storagectl(world: World, args: readonly string[]): Promise<Answer> {
	const {options, words} = optionsOf(args);
	const name = options.get('--name')!;
	return world.change(words[0]!, machine => {
		if (machine.controllers.includes(name)) {
			throw new Refusal(
				`Storage controller named '${name}' already exists`,
				'VBOX_E_OBJECT_IN_USE (0x80bb000c), component SessionMachine, interface IMachine, callee nsISupports',
			);
		}
		machine.controllers.push(name);
		world.keep(machine);
		return {};
	});
}

export async function storageattach(world: World, args: readonly string[]): Promise<Answer> {
	const {options, words} = optionsOf(args);
	const kind = options.get('--type') as 'hdd' | 'dvddrive';
	const file = options.get('--medium')!;
	return world.change(words[0]!, async machine => {
		const medium = await openMedium(world, file, kind === 'hdd' ? 'disk' : 'dvd').catch((error: unknown) => {
			if (!(error instanceof Refusal)) throw error;
			error.answer.err += `VBoxManage: error: Invalid UUID or filename "${file}"\n`;
			throw error;
		});
		const port = Number(options.get('--port'));
		machine.attachments = machine.attachments.filter(each => each.port !== port);
		machine.attachments.push({port, path: medium.path, uuid: medium.uuid, kind});
		world.keep(machine);
		return {};
	});
}

export async function setextradata(world: World, [what, key, value]: readonly string[]): Promise<Answer> {
	return world.change(what!, machine => {
		machine.extra[key!] = value!;
		world.keep(machine);
		return {};
	});
}

export async function getextradata(world: World, [what, key]: readonly string[]): Promise<Answer> {
	const value = world.find(what!).extra[key!];
	return {out: value === undefined ? 'No value set!\n' : `Value: ${value}\n`};
}
