import {readFileSync} from 'node:fs';
import {cpus} from 'node:os';
import {type Answer, isOnline} from './model.ts';
import type {Guests} from './running.ts';
import type {World} from './world.ts';

const head = `Object          Metric                                   Values
--------------- ---------------------------------------- --------------------------------------------
`;

type Last = {at: number; user: number; kernel: number};
const last = new Map<string, Last>();

function ticks(pid: number): {user: number; kernel: number} {
	const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const fields = text
		.slice(text.lastIndexOf(')') + 1)
		.trim()
		.split(' ');
	return {user: Number(fields[11]), kernel: Number(fields[12])};
}

/** Loads of the whole host's processors since the last time, as the real one has them for each second. */
export function metrics(world: World, guests: Guests, args: readonly string[]): Answer {
	const [verb, ...rest] = args;
	const wanted = rest.at(-1)!.split(',');
	if (verb === 'setup') {
		// For machines that run: one that starts later is not counted.
		for (const [id, guest] of guests) {
			if (world.counted.has(id)) continue;
			world.counted.set(id, Date.now());
			last.set(id, {at: Date.now(), ...ticks(guest.process.pid!)});
		}
		return {};
	}
	const lines = [...guests].flatMap(([id, guest]) => {
		const machine = world.machines.get(id);
		if (!machine || !isOnline(machine)) return [];
		const isCounted = Date.now() - (world.counted.get(id) ?? Number.POSITIVE_INFINITY) > 1000;
		const values: Record<string, string> = {};
		if (isCounted) {
			const before = last.get(id)!;
			const now = {at: Date.now(), ...ticks(guest.process.pid!)};
			const seconds = Math.max(0.001, (now.at - before.at) / 1000);
			const load = (value: number) => `${(value / seconds / cpus().length).toFixed(2)}%`;
			values['CPU/Load/User'] = load(now.user - before.user);
			values['CPU/Load/Kernel'] = load(now.kernel - before.kernel);
			if (now.at - before.at > 1000) last.set(id, now);
			const status = readFileSync(`/proc/${guest.process.pid}/status`, 'utf8');
			values['RAM/Usage/Used'] = `${/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0} kB`;
			values['Net/Rate/Rx'] = '0 B/s';
			values['Net/Rate/Tx'] = '0 B/s';
		}
		return wanted.map(metric => `${machine.name.padEnd(15)} ${metric.padEnd(40)} ${values[metric] ?? ''}\n`);
	});
	return {out: `${head}${lines.join('')}`};
}
