import {open, readFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';

/** The process that runs a machine, as its log names it. */
export type MachineProcess = {readonly pid: number};

/** The pid is told among the first lines. Source: VBoxRT's `Process ID:  %d (%#x)`. */
export function parsePid(log: string): number | undefined {
	const pid = Number(/^(?:[\d:.]+ )?Process ID:\s+(\d{1,9})\b/m.exec(log)?.[1] ?? Number.NaN);
	return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

/**
 * The process of a machine, if it is alive. VirtualBox tells it nowhere but in the machine's log, which is there after
 * the end, too.
 * @param machineDirectory the directory of the machine's settings
 */
export async function findProcess(machineDirectory: string, id: string): Promise<MachineProcess | undefined> {
	const handle = await open(path.join(machineDirectory, 'Logs', 'VBox.log'), 'r').catch(() => undefined);
	if (!handle) return undefined;
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(32_768), 0, 32_768, 0);
		const pid = parsePid(buffer.toString('latin1', 0, bytesRead));
		return pid !== undefined && (await isProcessOf(pid, id)) ? {pid} : undefined;
	} finally {
		await handle.close();
	}
}

/** Whether a process is alive and, where the system tells what it was started with, is this machine's. */
export async function isProcessOf(pid: number, id: string): Promise<boolean> {
	try {
		process.kill(pid, 0);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
	}
	if (process.platform !== 'linux') return true;
	const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
	return line.includes(id);
}

/** @returns whether it has ended within the time */
export async function waitProcessGone(pid: number, id: string, timeoutMs: number): Promise<boolean> {
	for (const deadline = Date.now() + timeoutMs; ; await sleep(20)) {
		if (!(await isProcessOf(pid, id))) return true;
		if (Date.now() > deadline) return false;
	}
}
