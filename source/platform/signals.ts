import type {Platform} from '../model/driver-name.ts';

/**
 * Signals that end a program that has a terminal, with the exit codes a shell gives them. Windows makes SIGHUP of a
 * window that is closed and SIGBREAK of Ctrl-Break; nobody can send it SIGTERM or SIGQUIT. Source: Node, "Signal events".
 */
export function endingSignals(platform: Platform): Readonly<Partial<Record<NodeJS.Signals, number>>> {
	return platform === 'win32'
		? {SIGHUP: 129, SIGINT: 130, SIGBREAK: 149}
		: {SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143};
}

/** What tells a child that its terminal is gone. Windows can only end it, by whatever name. */
export function hangUp(platform: Platform): NodeJS.Signals {
	return platform === 'win32' ? 'SIGTERM' : 'SIGHUP';
}

/** Whether a program can be stopped and continued, as Ctrl-Z and `fg` do. */
export function canBeStopped(platform: Platform): boolean {
	return platform !== 'win32';
}
