import process from 'node:process';
import {endingSignals} from '../../platform/signals.ts';
import {thisSystem} from '../../platform/system.ts';

/** The exit code when the terminal is gone, as after SIGHUP. */
const goneCode = 129;

export type Ending = {readonly code: number; readonly error?: unknown};

/**
 * Listens for everything from outside that ends the dashboard, and for what was thrown and not caught.
 * @param isDeaf while true SIGINT and SIGQUIT are somebody else's: a child has the terminal
 * @returns what stops the listening
 */
export function onEndings(end: (ending: Ending) => void, isDeaf: () => boolean): () => void {
	const listeners = Object.entries(endingSignals(thisSystem().platform)).map(([signal, code]) => {
		const listener = () => {
			if (isDeaf() && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
			end({code});
		};
		process.on(signal, listener);
		return () => process.off(signal, listener);
	});
	const thrown = (error: unknown) => {
		// The terminal went away while something was being written to it.
		const isGone = ['EIO', 'EPIPE'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
		end(isGone ? {code: goneCode} : {code: 1, error});
	};
	process.on('uncaughtException', thrown);
	process.on('unhandledRejection', thrown);
	return () => {
		for (const stop of listeners) stop();
		process.off('uncaughtException', thrown);
		process.off('unhandledRejection', thrown);
	};
}
