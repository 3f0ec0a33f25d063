import type {Platform} from '../../model/driver-name.ts';

/** What the terminal can show, read from the environment alone: asking it would cost a round trip and may leak. */
export type TerminalTraits = {
	/** Whether colours may be used (16 of them; nothing is told by colour alone). */
	readonly color: boolean;
	/** Whether only ASCII may be written. */
	readonly ascii: boolean;
	/** Whether frames are wrapped in the marks of synchronised output. */
	readonly sync: boolean;
	/** The terminal's name, for the doctor. */
	readonly term: string;
	readonly isSsh: boolean;
	/** GNU screen passes OSC 52 on only when it is wrapped. */
	readonly isScreen: boolean;
};

const monochrome = /^(dumb|vt\d|ansi-m|xterm-mono|cons25-m)/;

export function terminalTraits(environment: NodeJS.ProcessEnv, platform: Platform = 'linux'): TerminalTraits {
	const term = environment['TERM'] ?? '';
	return {
		color: usesColor(environment, term),
		ascii: term === 'linux' || !(platform === 'win32' ? isModern(environment) : isUtf8(environment)),
		sync: environment['DROVER_SYNC'] !== '0',
		term: term === '' ? 'unknown' : term,
		isSsh: Boolean(environment['SSH_CONNECTION'] || environment['SSH_TTY']),
		isScreen: term.startsWith('screen') && !environment['TMUX'],
	};
}

function usesColor(environment: NodeJS.ProcessEnv, term: string): boolean {
	const forced = environment['FORCE_COLOR'];
	if (forced !== undefined) return forced !== '0' && forced !== 'false';
	if (environment['NO_COLOR']) return false;
	return !monochrome.test(term);
}

/** Windows says nothing of encodings. What has more than the letters of one code page names itself. */
function isModern(environment: NodeJS.ProcessEnv): boolean {
	return ['WT_SESSION', 'TERM_PROGRAM', 'ConEmuANSI', 'MSYSTEM'].some(name => environment[name]) || isUtf8(environment);
}

function isUtf8(environment: NodeJS.ProcessEnv): boolean {
	const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
	return /utf-?8/i.test(locale);
}
