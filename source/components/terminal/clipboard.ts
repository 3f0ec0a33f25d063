/** Longer texts are refused by many terminals, and nobody means to copy them. */
const longest = 50_000;

/** The bytes that ask the terminal to take a text into its clipboard (OSC 52), or '' when it is too long. */
export function clipboardBytes(text: string, isScreen: boolean): string {
	if (Buffer.byteLength(text) > longest) return '';
	const bytes = `\u001B]52;c;${Buffer.from(text).toString('base64')}\u0007`;
	// GNU screen passes on only what is wrapped for it, in pieces it can hold.
	if (!isScreen) return bytes;
	return (bytes.match(/.{1,240}/gs) ?? []).map(part => `\u001BP${part}\u001B\\`).join('');
}
