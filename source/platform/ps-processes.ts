import {endByNumber} from './end-process.ts';
import type {Processes} from './processes.ts';
import type {Run} from './programs.ts';

/** In English and in one time zone, whatever the user has: what began is compared as text. */
const plain = {LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin:/usr/sbin:/sbin'} as const;

/**
 * Processes from `ps`, for systems without `/proc` (macOS). `ps` gives a command line as one text, in which a blank
 * inside an argument is not told from one between two: what is looked for in it must have none.
 * Source: ps(1) of macOS; the columns used are also those of Linux's, where this is tested for real.
 */
export function psProcesses(run: Run): Processes {
	const ps = async (columns: string, which: readonly string[]): Promise<readonly string[]> => {
		const {stdout} = await run('ps', ['-ww', '-o', columns, ...which], {timeoutMs: 3000, environment: plain});
		return stdout.split('\n').filter(line => line.trim() !== '');
	};
	const of = async (columns: string, pid: number) => (await ps(columns, ['-p', String(pid)]))[0]?.trim();
	return {
		async arguments(pid) {
			const line = await of('stat=,command=', pid);
			return line === undefined ? undefined : commandWords(line);
		},
		async withWord(word) {
			const found = new Map<number, readonly string[]>();
			for (const line of await ps('pid=,stat=,command=', ['-ax'])) {
				const [, pid, rest] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
				const words = rest === undefined ? undefined : commandWords(rest);
				if (words?.includes(word)) found.set(Number(pid), words);
			}
			return found;
		},
		async began(pid) {
			const line = await of('stat=,lstart=', pid);
			return line === undefined ? undefined : beganAt(line);
		},
		async usage(pid) {
			const line = await of('time=', pid);
			const cpuSeconds = line === undefined ? undefined : secondsOf(line);
			return cpuSeconds === undefined ? undefined : {cpuSeconds};
		},
		end: endByNumber,
	};
}

/** `S+ /usr/bin/qemu -uuid …`: a state and a command line. `undefined` for a zombie, which has ended. */
function commandWords(text: string): readonly string[] | undefined {
	const [, state = 'Z', command = ''] = /^(\S+)\s+(.*)$/.exec(text.trim()) ?? [];
	return state.startsWith('Z') ? undefined : command.trim().split(/\s+/);
}

/** `S+ Thu Nov 26 01:17:33 2026` in seconds since the epoch; `undefined` for a zombie, and for what is no time. */
function beganAt(text: string): string | undefined {
	const [, state = 'Z', time = ''] = /^(\S+)\s+(.*)$/.exec(text) ?? [];
	const milliseconds = Date.parse(`${time} UTC`);
	return state.startsWith('Z') || Number.isNaN(milliseconds) ? undefined : String(milliseconds / 1000);
}

/** Processor time as `ps` writes it: `0:12.34`, `01:02:03`, `1-02:03:04`. */
export function secondsOf(text: string): number | undefined {
	const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)$/.exec(text.trim());
	if (!match) return undefined;
	const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = match;
	return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds.replace(',', '.'));
}
