// The stand-in's VBoxSVC: holds all machines, and ends a while after the last client and machine are gone.
import {randomUUID} from 'node:crypto';
import {existsSync, mkdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {createvm, getextradata, modifyvm, setextradata, storageattach, storagectl, unregistervm} from './machines.ts';
import {clonemedium, closemedium, convertfromraw, modifymedium, openMedium} from './media.ts';
import {metrics} from './metrics.ts';
import {type Answer, codes, isOnline, Refusal} from './model.ts';
import {infoOf, longOf, mediumOf} from './print.ts';
import {adoptstate, controlvm, discardstate, type Guests, startvm} from './running.ts';
import {World} from './world.ts';

const home = process.argv[2]!;
/** The real one waits five seconds; Node takes too long to start on a busy host for that. */
const idleMs = 120_000;
const portFile = path.join(home, 'port');
const token = randomUUID();
const guests: Guests = new Map();
let clients = 0;
let answers = 0;
let idleSince = Date.now();

type Command = (args: readonly string[]) => Answer | Promise<Answer>;

function list(args: readonly string[]): Answer | Promise<Answer> {
	const isLong = args.includes('--long');
	const what = args.filter(arg => !arg.startsWith('--'))[0];
	const machines = [...world.machines.values()];
	const row = ({id, name}: (typeof machines)[number]) =>
		`"${world.unreadable.has(id) ? '<inaccessible>' : name}" {${id}}\n`;
	switch (what) {
		case 'vms':
			return {out: machines.map(machine => (isLong ? longOf(machine) : row(machine))).join('')};
		case 'runningvms': {
			const running = machines.filter(isOnline);
			if (!isLong) return {out: running.map(row).join('')};
			if (world.behaviour.hangsLong) return new Promise(() => {});
			// Some 30 ms for each, as with the real one.
			return new Promise(resolve =>
				setTimeout(() => resolve({out: running.map(longOf).join('')}), 30 * running.length),
			);
		}
		case 'hdds':
		case 'dvds': {
			const kind = what === 'hdds' ? 'disk' : 'dvd';
			const media = [...world.media.values()].filter(medium => medium.kind === kind);
			return {out: media.map(medium => mediumOf(medium, existsSync(medium.path))).join('')};
		}
		case 'bridgedifs': {
			const {adapters = ['eth0']} = world.behaviour;
			return {
				out: adapters
					.map(
						name =>
							`Name:            ${name}\nGUID:            effffff9-7b97-44b7-8000-02fc00000001\nDHCP:            Disabled\nIPAddress:       192.0.2.2\nNetworkMask:     255.255.255.0\nIPV6Address:     fd00::2\nIPV6NetworkMaskPrefixLength: 64\nHardwareAddress: 02:fc:00:00:00:01\nMediumType:      Ethernet\nWireless:        No\nStatus:          Up\nVBoxNetworkName: HostInterfaceNetworking-${name}\n\n`,
					)
					.join(''),
			};
		}
		case 'hostonlyifs':
			return {};
		default:
			throw new Refusal(`Unknown subcommand "${what}".`, undefined, {code: 2});
	}
}

const commands: Readonly<Record<string, Command>> = {
	list,
	showvminfo([what]) {
		if (world.unreadable.has(what!))
			throw new Refusal(`Could not find a registered machine named '${what}'`, codes.missing);
		return {out: infoOf(world.find(what!))};
	},
	showmediuminfo: async ([, what]) => ({out: mediumOf(await openMedium(world, what!, 'disk'), true)}),
	createvm: args => createvm(world, args),
	unregistervm: args => unregistervm(world, args),
	modifyvm: args => modifyvm(world, args),
	storagectl: args => storagectl(world, args),
	storageattach: args => storageattach(world, args),
	setextradata: args => setextradata(world, args),
	getextradata: args => getextradata(world, args),
	clonemedium: args => clonemedium(world, args),
	convertfromraw: args => convertfromraw(world, args),
	modifymedium: args => modifymedium(world, args),
	closemedium: args => closemedium(world, args),
	startvm: args => startvm(world, guests, args),
	controlvm: args => controlvm(world, guests, args),
	discardstate: args => discardstate(world, args),
	adoptstate: args => adoptstate(world, args),
	metrics: args => metrics(world, guests, args),
};

async function answer([name = '', ...args]: readonly string[]): Promise<Answer> {
	const command = commands[name];
	if (command === undefined) return new Refusal(`Invalid command '${name}'`, undefined, {code: 2}).answer;
	try {
		return await command(args);
	} catch (error) {
		if (error instanceof Refusal) return error.answer;
		return new Refusal(`The stand-in failed: ${(error as Error).stack}`).answer;
	}
}

/** A token, how many arguments there are, and these, each ended by a NUL; the answer is in files, by a number. */
function serve(socket: Socket): void {
	clients++;
	let bytes = Buffer.alloc(0);
	let number = 0;
	socket.on('data', async chunk => {
		if (number !== 0) return;
		bytes = Buffer.concat([bytes, chunk as Buffer]);
		const [given, count, ...args] = bytes.toString('utf8').split('\0');
		if (count === undefined || args.length <= Number(count)) return;
		number = ++answers;
		if (given !== token) return void socket.destroy();
		args.length = Number(count);
		if (args[0] === 'stand-in-end') return end();
		const {out = '', err = '', code = 0} = await answer(args);
		writeFileSync(fileOf(number, 'out'), out);
		writeFileSync(fileOf(number, 'err'), err);
		socket.write(`${number} ${code}\n`);
	});
	socket.on('error', () => {});
	socket.on('close', () => {
		clients--;
		idleSince = Date.now();
		for (const stream of ['out', 'err'] as const) rmSync(fileOf(number, stream), {force: true});
	});
}

function fileOf(number: number, stream: 'out' | 'err'): string {
	return path.join(home, 'answers', `${number}.${stream}`);
}

function end(): void {
	for (const {process: child} of guests.values()) child.kill('SIGKILL');
	rmSync(portFile, {force: true});
	rmSync(path.join(home, 'svc.lock'), {force: true});
	process.exit(0);
}

const world = new World(home);
const server = createServer(serve);
mkdirSync(path.join(home, 'answers'), {recursive: true, mode: 0o700});
try {
	// Of two that are started at the same time one gives way.
	writeFileSync(path.join(home, 'svc.lock'), String(process.pid), {flag: 'wx'});
} catch {
	process.exit(0);
}
server.listen(0, '127.0.0.1', () => {
	const {port} = server.address() as AddressInfo;
	writeFileSync(path.join(home, 'svc.pid'), String(process.pid));
	writeFileSync(`${portFile}.new`, `${port} ${token}\n`, {mode: 0o600});
	renameSync(`${portFile}.new`, portFile);
});
setInterval(() => {
	if (clients === 0 && guests.size === 0 && Date.now() - idleSince > idleMs) end();
}, 250);
process.on('SIGTERM', end);
