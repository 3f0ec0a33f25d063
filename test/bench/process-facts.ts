import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';

/** Processor time of a process's threads in milliseconds. Linux only. */
export function processorTime(pid: number): number {
	let nanoseconds = 0;
	for (const task of readdirSync(`/proc/${pid}/task`)) {
		try {
			nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
		} catch {
			// The thread has just ended.
		}
	}
	return nanoseconds / 1e6;
}

/** Memory of a process in MiB: what is in RAM, and its own share of it. Linux only. */
export function memoryOf(pid: number): {resident: number; own: number} {
	const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
	const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) / 1024;
	return {resident: field('Rss'), own: field('Private_Clean') + field('Private_Dirty')};
}

/** Runs a program to its end. @returns milliseconds from the start to the end of its output; rejects when it fails */
export async function timeRun(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
	const began = performance.now();
	const child = spawn(file, args, {env, stdio: ['ignore', 'pipe', 'pipe']});
	let errors = '';
	let bytes = 0;
	child.stdout.on('data', (data: Buffer) => {
		bytes += data.length;
	});
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		errors += text;
	});
	const [code] = await once(child, 'close');
	const took = performance.now() - began;
	if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code} after ${bytes} bytes: ${errors}`);
	return took;
}

/** Runs several things in turn, again and again, so that a busy moment hits all alike. @returns the times of each */
export async function interleave<Name extends string>(
	rounds: number,
	things: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
	const names = Object.keys(things) as Name[];
	const times = Object.fromEntries(names.map(name => [name, [] as number[]])) as Record<Name, number[]>;
	for (let round = 0; round < rounds; round++) {
		for (const name of names) times[name].push(await things[name]());
	}
	return times;
}
