import process from 'node:process';

/**
 * Ends a process, or asks it to end. Windows has no way to ask: there both do the same. That it has ended in between, or
 * is not ours to end, is no error: what counts is whether it is there.
 */
export function endByNumber(pid: number, force: boolean): void {
	try {
		process.kill(pid, force ? 'SIGKILL' : 'SIGTERM');
	} catch {}
}
