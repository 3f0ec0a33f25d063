const escapeSequence = /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B\n\r]*(?:\u0007|\u001B\\)?|[@-Z\\-_])/g;
const unsafe =
	/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]/g;

/**
 * Text from a guest, a record or a hypervisor made safe to show on one line: escape sequences, control
 * characters and direction overrides removed, line breaks and tabs turned into spaces.
 */
export function plainLine(text: string): string {
	return plainText(text)
		.replace(/[\n\t]+/g, ' ')
		.trim();
}

/** As {@link plainLine}, but line breaks and tabs stay. */
export function plainText(text: string): string {
	return text.replace(escapeSequence, '').replace(/\r\n?/g, '\n').replace(unsafe, '');
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(words: readonly string[], conjunction = 'and'): string {
	if (words.length <= 1) return words[0] ?? '';
	return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`;
}

/** A word of a command line, quoted where a shell needs it. */
export function shellWord(word: string): string {
	// A shell finds the home directory only outside of quotes.
	if (word.startsWith('~/') && word.length > 2) return `~/${shellWord(word.slice(2))}`;
	return /^[\w./:@%+=,~-]+$|^\?\?$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
