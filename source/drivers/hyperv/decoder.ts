import {TextDecoder} from 'node:util';

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** No line of ours comes near it; what is longer is not ours. Characters. */
const longestLine = 8 * 2 ** 20;

/** By its byte order mark, or by the zeros that plain text has in every second byte. */
function encodingOf(head: Buffer): Encoding {
	const [first, second] = head;
	if (first === 0xff && second === 0xfe) return 'utf-16le';
	if (first === 0xfe && second === 0xff) return 'utf-16be';
	if (first !== 0 && second === 0) return 'utf-16le';
	if (first === 0 && second !== 0) return 'utf-16be';
	return 'utf-8';
}

/**
 * Bytes of a PowerShell's output to lines of text, however it writes them: UTF-8 or UTF-16, with a byte order mark or
 * without, lines ended by LF or CRLF. What is no text becomes replacement characters, and no line that is understood.
 */
export class LineDecoder {
	#head: Buffer | undefined = Buffer.alloc(0);
	#decoder: TextDecoder | undefined;
	#rest = '';
	/** The line under way is too long and is left out up to its end. */
	#isSkipping = false;

	push(chunk: Buffer): string[] {
		const text = this.#decode(chunk);
		const lines = (this.#rest + text).split('\n');
		this.#rest = lines.pop() ?? '';
		if (this.#isSkipping && lines.length > 0) {
			lines.shift();
			this.#isSkipping = false;
		}
		if (this.#rest.length > longestLine) {
			this.#rest = '';
			this.#isSkipping = true;
		}
		return lines.map(line => line.replace(/^\uFEFF/, '').replace(/\r$/, '')).filter(line => line.trim() !== '');
	}

	#decode(chunk: Buffer): string {
		if (this.#decoder) return this.#decoder.decode(chunk, {stream: true});
		const head = Buffer.concat([this.#head ?? Buffer.alloc(0), chunk]);
		if (head.length < 2) {
			this.#head = head;
			return '';
		}
		this.#head = undefined;
		this.#decoder = new TextDecoder(encodingOf(head));
		return this.#decoder.decode(head, {stream: true});
	}
}
