import {readdir, readFile} from 'node:fs/promises';
import {endByNumber} from './end-process.ts';
import type {Processes} from './processes.ts';

/** Linux tells processor time in these to every program, whatever the kernel counts in. Source: proc(5), time(7). */
const ticksPerSecond = 100;

async function read(pid: number | string, name: string): Promise<string> {
	return readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '');
}

async function words(pid: number | string): Promise<readonly string[] | undefined> {
	// In UTF-8, other than the rest: paths are in it. A zombie has an empty one.
	const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
	return text === '' ? undefined : text.replace(/\0$/, '').split('\0');
}

/** The fields of `stat` behind the program's name, which may have blanks and brackets itself. Source: proc(5). */
export function statFields(text: string): readonly string[] {
	return text
		.slice(text.lastIndexOf(')') + 1)
		.trim()
		.split(' ');
}

/** Seconds that all threads of a process have had, in the host's and the guest's name. Source: proc(5), stat. */
export function processorSeconds(text: string): number | undefined {
	const fields = statFields(text);
	const ticks = Number(fields[11]) + Number(fields[12]);
	return Number.isFinite(ticks) && fields.length > 12 ? ticks / ticksPerSecond : undefined;
}

/** Processes from `/proc`: a few file reads, no program. */
export const procProcesses: Processes = {
	arguments: words,
	async withWord(word) {
		const found = new Map<number, readonly string[]>();
		const names = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name));
		await Promise.all(
			names.map(async name => {
				const each = await words(name);
				if (each?.includes(word)) found.set(Number(name), each);
			}),
		);
		return found;
	},
	async began(pid) {
		const fields = statFields(await read(pid, 'stat'));
		return fields[0] === 'Z' || !/^\d+$/.test(fields[19] ?? '') ? undefined : fields[19];
	},
	async usage(pid) {
		const [stat, status] = await Promise.all([read(pid, 'stat'), read(pid, 'status')]);
		const cpuSeconds = processorSeconds(stat);
		if (cpuSeconds === undefined) return undefined;
		const kibibytes = /^RssShmem:\s+(\d{1,12}) kB$/m.exec(status)?.[1];
		return {cpuSeconds, ...(kibibytes === undefined ? {} : {sharedMemory: Number(kibibytes) * 1024})};
	},
	end: endByNumber,
};
