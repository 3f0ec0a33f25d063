import {endByNumber} from './end-process.ts';
import {powershell, readJson} from './powershell.ts';
import type {Processes} from './processes.ts';
import type {Run} from './programs.ts';

/** What is asked of a process. `CommandLine` is empty for processes of others. Source: Win32_Process, in WMI's reference. */
const columns =
	'@{n="pid";e={$_.ProcessId}},@{n="line";e={$_.CommandLine}},@{n="began";e={$_.CreationDate.ToFileTimeUtc().ToString()}},@{n="cpu";e={($_.KernelModeTime+$_.UserModeTime)/10000000}}';

type Row = {readonly pid: number; readonly line: string; readonly began: string; readonly cpu: number};

/** Processes from one query of PowerShell, for Windows. It takes some 300 ms, so that nothing asks it in a hurry. */
export function windowsProcesses(run: Run): Processes {
	const query = async (filter: string): Promise<readonly Row[]> => {
		const script = `@(Get-CimInstance Win32_Process -Filter '${filter}' | Select-Object ${columns}) | ConvertTo-Json -Compress`;
		return rowsOf(await powershell(run, script));
	};
	const one = async (pid: number) => (await query(`ProcessId = ${Math.trunc(pid)}`))[0];
	return {
		async arguments(pid) {
			const found = await one(pid);
			return found === undefined || found.line === '' ? undefined : splitWindowsLine(found.line);
		},
		async withWord(word) {
			const rows = await query(`CommandLine LIKE "%${likeText(word)}%"`);
			return new Map(
				rows.flatMap(({pid, line}) => {
					const words = splitWindowsLine(line);
					return words.includes(word) ? [[pid, words] as const] : [];
				}),
			);
		},
		began: async pid => (await one(pid))?.began,
		async usage(pid) {
			const found = await one(pid);
			return found === undefined ? undefined : {cpuSeconds: found.cpu};
		},
		end: endByNumber,
	};
}

/** What stands for itself between the quotes of a WQL pattern in the single quotes of a script; the rest is left open. */
function likeText(word: string): string {
	return word.replaceAll(/[^\w. -]/g, '_');
}

/** One row or many, as `ConvertTo-Json` writes them: a list of one is written without its brackets by some versions. */
function rowsOf(text: string): readonly Row[] {
	const value = readJson(text);
	return (Array.isArray(value) ? value : [value]).flatMap(each => {
		const {pid, line, began, cpu} = (each ?? {}) as Record<string, unknown>;
		if (typeof pid !== 'number' || typeof began !== 'string' || !/^\d+$/.test(began)) return [];
		return [{pid, line: typeof line === 'string' ? line : '', began, cpu: typeof cpu === 'number' ? cpu : 0}];
	});
}

/**
 * A command line taken apart as programs do it on Windows: quotes hold blanks together, a backslash counts only before a
 * quote. Source: "Parsing C command-line arguments", learn.microsoft.com.
 */
export function splitWindowsLine(line: string): readonly string[] {
	const words: string[] = [];
	let word: string | undefined;
	let isQuoted = false;
	for (let at = 0; at < line.length; at++) {
		const slashes = /^\\*/.exec(line.slice(at))![0].length;
		const next = line[at + slashes];
		if (slashes > 0) {
			const isBeforeQuote = next === '"';
			word = (word ?? '') + '\\'.repeat(isBeforeQuote ? slashes >> 1 : slashes);
			at += slashes - 1;
			if (isBeforeQuote && slashes % 2 === 1) {
				word += '"';
				at++;
			}
		} else if (next === '"') {
			if (isQuoted && line[at + 1] === '"') {
				word = `${word ?? ''}"`;
				at++;
			} else {
				isQuoted = !isQuoted;
				word ??= '';
			}
		} else if ((next === ' ' || next === '\t') && !isQuoted) {
			if (word !== undefined) words.push(word);
			word = undefined;
		} else word = (word ?? '') + next;
	}
	return word === undefined ? words : [...words, word];
}
