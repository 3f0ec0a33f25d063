import {mkdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import {type Guest, startGuest} from './guests.ts';
import {changeRules, optionsOf} from './machines.ts';
import {type Answer, bar, codes, isOnline, type Machine, now, Refusal} from './model.ts';
import type {World} from './world.ts';

/** Processes of machines, by id. */
export type Guests = Map<string, Guest>;

/** How long a machine stays locked after its process has ended. */
const unlockMs = 150;

const pause = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds));

function turn(world: World, machine: Machine, state: string): void {
	machine.state = state;
	machine.changed = now();
	// The real one writes a state down only when it rests.
	if (!isOnline(machine)) world.keep(machine);
}

function locked({name}: Machine): Refusal {
	return new Refusal(`The machine '${name}' is already locked for a session (or being unlocked)`, codes.locked);
}

export async function startvm(world: World, guests: Guests, args: readonly string[]): Promise<Answer> {
	const {options, words} = optionsOf(args);
	const [what] = words;
	const machine = world.find(what!);
	const type = options.get('--type') ?? 'gui';
	if (type === 'emergencystop') {
		const guest = guests.get(machine.id);
		if (!guest) {
			throw new Refusal(`The machine '${machine.name}' is not locked by a session`, codes.locked);
		}
		guest.process.kill('SIGKILL');
		return {};
	}
	if (isOnline(machine) || world.locked.has(machine.id)) throw locked(machine);
	const waiting = `Waiting for VM "${what}" to power on...\n`;
	const {startError, deniesStart} = world.behaviour;
	if (startError !== undefined) throw new Refusal(startError, codes.failure, {out: waiting});
	world.locked.add(machine.id);
	const before = machine.state;
	machine.state = machine.stateFile === undefined ? 'starting' : 'restoring';
	machine.changed = now();
	const guest = await startGuest(world, machine).catch((error: Error) => ({failure: error.message}));
	if ('failure' in guest) {
		world.locked.delete(machine.id);
		machine.state = before;
		throw new Refusal(guest.failure, codes.failure, {out: waiting});
	}
	guests.set(machine.id, guest);
	delete machine.stateFile;
	turn(world, machine, 'running');
	// Its settings change with it: the saved state is gone.
	world.keep(machine);
	const leave = () => {
		guests.delete(machine.id);
		world.counted.delete(machine.id);
		const isSaved = machine.state === 'saving' && machine.stateFile !== undefined;
		// A guest that powers itself off leaves as well as one that is told to; a killed process has not.
		const isAbort =
			guest.process.signalCode !== null && machine.state !== 'stopping' && world.behaviour.guest === 'qemu';
		turn(world, machine, isSaved ? 'saved' : isAbort ? 'aborted' : 'poweroff');
		setTimeout(() => world.locked.delete(machine.id), unlockMs);
	};
	// It may have ended by now.
	if (guest.process.exitCode !== null || guest.process.signalCode !== null) leave();
	else guest.process.once('exit', leave);
	return {
		out: `${waiting}VM "${what}" has been successfully started.\n`,
		code: deniesStart ? 1 : 0,
	};
}

export async function controlvm(world: World, guests: Guests, args: readonly string[]): Promise<Answer> {
	const [what, verb, ...rest] = args;
	const machine = world.find(what!);
	const guest = guests.get(machine.id);
	if (!guest || !isOnline(machine)) throw new Refusal(`Machine '${what}' is not currently running.`);
	const ended = new Promise<void>(resolve => guest.process.once('exit', () => resolve()));
	switch (verb) {
		case 'acpipowerbutton':
			if (machine.state !== 'running') throw invalid(machine);
			await guest.press();
			return {};
		case 'poweroff':
			machine.state = 'stopping';
			await guest.end();
			await ended;
			return {err: bar};
		case 'pause':
			if (machine.state !== 'running') throw invalid(machine);
			await guest.pause();
			turn(world, machine, 'paused');
			return {};
		case 'resume':
			if (machine.state !== 'paused') throw invalid(machine);
			await guest.resume();
			turn(world, machine, 'running');
			return {};
		case 'savestate':
			if (machine.state !== 'running' && machine.state !== 'paused') throw invalid(machine);
			return savestate(machine, guest, ended);
		case 'natpf1': {
			const before = [...machine.nics[0]!.rules];
			changeRules(machine, rest);
			const {rules} = machine.nics[0]!;
			for (const rule of before) if (!rules.includes(rule)) await guest.rule(rule, false);
			for (const rule of rules) if (!before.includes(rule)) await guest.rule(rule, true).catch(() => {});
			world.save();
			return {};
		}
		default:
			throw new Refusal(`Invalid parameter '${verb}'.`);
	}
}

function invalid({state}: Machine): Refusal {
	return new Refusal(`Invalid machine state: ${state}`, codes.state);
}

async function savestate(machine: Machine, guest: Guest, ended: Promise<void>): Promise<Answer> {
	const before = machine.state;
	machine.state = 'saving';
	const folder = path.join(machine.directory, 'Snapshots');
	mkdirSync(folder, {recursive: true, mode: 0o700});
	const file = path.join(folder, `${now().replaceAll(':', '-').replace('.', '-')}Z.sav`);
	try {
		machine.stateFile = file;
		await guest.save(file);
	} catch (error) {
		delete machine.stateFile;
		machine.state = before;
		await guest.resume().catch(() => {});
		throw new Refusal(`Failed to save machine state\nVBoxManage: error: ${(error as Error).message}`, codes.failure);
	}
	await ended;
	return {err: bar};
}

export async function discardstate(world: World, [what]: readonly string[]): Promise<Answer> {
	return world.change(what!, machine => {
		if (machine.stateFile === undefined) {
			// With success.
			throw new Refusal(
				`Cannot discard the saved state as the machine is not in the Saved or Aborted-Saved state (machine state: ${isOnline(machine) ? 'Running' : 'PoweredOff'})`,
				codes.state,
				{code: 0},
			);
		}
		rmSync(machine.stateFile, {force: true});
		delete machine.stateFile;
		turn(world, machine, 'poweroff');
		return {};
	});
}

export async function adoptstate(world: World, [what, file]: readonly string[]): Promise<Answer> {
	return world.change(what!, async machine => {
		await pause(5);
		machine.stateFile = file!;
		turn(world, machine, 'saved');
		return {};
	});
}
