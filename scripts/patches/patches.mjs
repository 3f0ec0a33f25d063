/**
 * Changes made to packages while bundling, because their originals make drover slow to start or to draw.
 * Each names the file it is for and throws when that file no longer looks as expected: an upgrade must not lose one
 * silently. Figures: a two-core host, Node 24, first frame of an Ink program.
 */

/** Replaces exactly one occurrence. @throws Error when there is none, or more than one */
function replaceOnce(source, search, replacement, what) {
	const parts = source.split(search);
	if (parts.length !== 2) {
		throw new Error(`expected ${what} once, found it ${parts.length - 1} times`);
	}
	return parts.join(replacement);
}

/**
 * Emscripten's loader does `fetch("data:…base64")`, which loads all of undici (20 to 30 ms). Without a `fetch` it
 * decodes the base64 itself.
 */
const yogaWithoutFetch = {
	name: 'yoga-without-fetch',
	filter: /[\\/]yoga-layout[\\/]dist[\\/]binaries[\\/]yoga-wasm-base64-esm\.js$/,
	apply(source) {
		const count = source.split('typeof fetch').length - 1;
		if (count === 0) throw new Error('expected a test of `typeof fetch`, found none');
		// Where a file beside it would be; there is none, and the program is no module that knows its place.
		const placeless = replaceOnce(source, 'import.meta.url', '""', 'its own place');
		return placeless.replaceAll('typeof fetch', '"undefined"');
	},
};

/**
 * string-width compiles `\p{RGI_Emoji}` when it is loaded (12 ms), and cuts every text that is not ASCII into graphemes.
 * Texts made only of characters that are one column wide and never join with a neighbour are counted without it;
 * all others go to the original. `test/build/string-width.test.ts` compares both for every code point.
 */
const fastStringWidth = {
	name: 'fast-string-width',
	filter: /[\\/]node_modules[\\/]string-width[\\/]index\.js$/,
	apply(source) {
		const renamed = replaceOnce(
			source,
			'export default function stringWidth(input, options = {}) {',
			'function originalStringWidth(input, options = {}) {',
			'the exported function',
		);
		const lazy = replaceOnce(
			renamed,
			String.raw`const rgiEmojiRegex = /^\p{RGI_Emoji}$/v;`,
			String.raw`let rgiEmoji;
const rgiEmojiRegex = {test: text => (rgiEmoji ??= /^\p{RGI_Emoji}$/v).test(text)};`,
			'the pattern of emoji',
		);
		if (!/^import stripAnsi from 'strip-ansi';$/m.test(lazy)) throw new Error('expected an import of strip-ansi');
		return `${lazy}\n${narrowWidth}`;
	},
};

// Latin, Greek, Cyrillic, punctuation, arrows, box drawing, blocks, shapes, check marks, braille. No combining mark,
// no joiner, no variation selector, no emoji that a selector could widen without being outside of the set itself.
const narrowCharacters = String.raw`\u0020-\u007E\u00A1-\u00AC\u00AE-\u02FF\u0370-\u0377\u037A-\u037F\u0384-\u0482\u048A-\u052F\u2010-\u2027\u2030-\u205E\u2190-\u21FF\u2500-\u25FC\u2713-\u2718\u276F\u2800-\u28FF`;

const narrowWidth = String.raw`
const narrow = /^[${narrowCharacters}]*$/;
export default function stringWidth(input, options = {}) {
	if (typeof input !== 'string' || input.length === 0) return 0;
	if (options.ambiguousIsNarrow === false || options.countAnsiEscapeCodes) return originalStringWidth(input, options);
	const text = input.includes('\u001B') || input.includes('\u009B') ? stripAnsi(input) : input;
	return narrow.test(text) ? text.length : originalStringWidth(text, options);
}
`;

/**
 * Ink makes a new token cache for every frame, so unchanged text is cut into tokens again and again (40 % of a frame).
 * One cache is kept, and begun anew when it has grown; it also keeps the lines of a text. And a line that fits where
 * it is clipped is taken as it is, not cut up and put together again (as much once more, inside `overflow="hidden"`).
 */
const keptTokenCache = {
	name: 'kept-token-cache',
	filter: /[\\/]node_modules[\\/]ink[\\/]build[\\/]output\.js$/,
	apply(source) {
		const kept = replaceOnce(source, 'caches = new OutputCaches();', 'caches = keptCaches();', 'the cache of a frame');
		for (const map of ['widths', 'blockWidths', 'styledChars']) {
			if (!kept.includes(`    ${map} = new Map();`)) throw new Error(`expected the cache to have a map ${map}`);
		}
		const byLine = replaceOnce(
			kept,
			linesOfText,
			'        let lines = linesOf(this.caches, text);\n',
			'the lines of a text',
		);
		const whole = replaceOnce(
			byLine,
			'        const result = [];\n        let column = 0;\n',
			'        if (from <= 0 && narrow.test(line) && to >= this.caches.getStringWidth(line)) return line;\n        const result = [];\n        let column = 0;\n',
			'the cutting of a line',
		);
		return `${whole}${keptCaches}`;
	},
};

const linesOfText = `        const characterLines = [[]];
        for (const character of this.caches.getStyledChars(text)) {
            if (character.value === '\\n') {
                characterLines.push([]);
            }
            else {
                characterLines.at(-1).push(character);
            }
        }
        let lines = characterLines.map(line => styledCharsToString(line));
`;

const keptCaches = String.raw`
const narrow = /^[\u001B${narrowCharacters}]*$/;
let kept;
function keptCaches() {
	if (kept === undefined || [kept.styledChars, kept.widths, kept.blockWidths, kept.lines].some(map => map.size > 4000)) {
		kept = new OutputCaches();
		kept.lines = new Map();
	}
	return kept;
}
function linesOf(caches, text) {
	let lines = caches.lines.get(text);
	if (lines !== undefined) return lines;
	const characters = [[]];
	for (const character of caches.getStyledChars(text)) {
		if (character.value === '\n') characters.push([]);
		else characters.at(-1).push(character);
	}
	lines = characters.map(line => styledCharsToString(line));
	caches.lines.set(text, lines);
	return lines;
}
`;

/** With `DEV=true` in somebody's environment Ink would look for developer tools and for its package.json. */
const noDeveloperTools = {
	name: 'no-developer-tools',
	filter: /[\\/]node_modules[\\/]ink[\\/]build[\\/]reconciler\.js$/,
	apply(source) {
		const parts = source.split("process.env['DEV'] === 'true'");
		if (parts.length !== 3) throw new Error(`expected two tests of DEV, found ${parts.length - 1}`);
		return parts.join('false');
	},
};

export const patches = [yogaWithoutFetch, fastStringWidth, keptTokenCache, noDeveloperTools];
