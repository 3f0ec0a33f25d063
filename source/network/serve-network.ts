import process from 'node:process';
import {createInterface} from 'node:readline';
import {EthernetSwitch} from './ethernet-switch.ts';
import {type PlannedPort, type PortReport, readPlan} from './plan.ts';
import {Port} from './port.ts';

/**
 * The process that passes frames between the machines of a scope. It is a process of its own, so that a machine that
 * sends without end holds up nothing else, and so that nothing else keeps it from reading what machines send: they would
 * stand still meanwhile. It ends with whoever started it: its standard input is the line to it.
 * @returns the exit code
 */
export async function serveNetwork(): Promise<number> {
	process.on('SIGINT', () => {});
	// Whoever listened is gone; that shows on standard input as well.
	process.stdout.on('error', () => {});
	const network = new Network(report => process.stdout.write(`${JSON.stringify(report)}\n`));
	try {
		for await (const line of createInterface({input: process.stdin})) {
			const plan = readPlan(line);
			// The daemon is of another version: it starts one that it understands when this one has ended.
			if (plan === undefined) return 1;
			network.follow(plan.ports, plan.names);
		}
		return 0;
	} finally {
		network.close();
	}
}

type Line = {readonly planned: PlannedPort; readonly port: Port | undefined};

/** The switch with the lines to its machines. */
export class Network {
	readonly #switch = new EthernetSwitch();
	readonly #lines = new Map<string, Line>();
	readonly #report: (report: PortReport) => void;

	constructor(report: (report: PortReport) => void) {
		this.#report = report;
	}

	/** Makes the lines those of a plan; what stays the same is not touched. */
	follow(ports: readonly PlannedPort[], names: Readonly<Record<string, string>>): void {
		this.#switch.names = new Map(Object.entries(names).map(([name, address]) => [name.toLowerCase(), address]));
		const wanted = new Map(ports.map(port => [port.id, port]));
		for (const [id, line] of this.#lines) {
			const other = wanted.get(id);
			// One that is in another's way is tried again: the other may be gone.
			if (line.port === undefined || other === undefined || !isSame(line.planned, other)) this.#end(id);
		}
		for (const port of ports) if (!this.#lines.has(port.id)) this.#begin(port);
	}

	close(): void {
		for (const id of [...this.#lines.keys()]) this.#end(id);
	}

	#begin(planned: PlannedPort): void {
		const {id, socket} = planned;
		let port: Port | undefined;
		try {
			this.#switch.plug(id, planned, {send: frame => port?.send(frame)});
		} catch (error) {
			this.#lines.set(id, {planned, port: undefined});
			this.#report({id, isConnected: false, problem: (error as Error).message});
			return;
		}
		port = new Port(socket, {
			onFrame: frame => this.#switch.receive(id, frame),
			onState: isConnected => this.#report({id, isConnected}),
		});
		this.#lines.set(id, {planned, port});
	}

	#end(id: string): void {
		this.#lines.get(id)?.port?.close();
		this.#lines.delete(id);
		this.#switch.unplug(id);
	}
}

function isSame(one: PlannedPort, other: PlannedPort): boolean {
	return (['socket', 'mac', 'address', 'prefix'] as const).every(key => one[key] === other[key]);
}
