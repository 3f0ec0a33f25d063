// Stands in for Intl.Segmenter in the bundle. The first real one of a process costs 9 ms, because it loads ICU's break
// tables, and Ink's packages make five of them before the first frame. Texts in which every character is a grapheme of
// its own are cut here; only the others ask ICU. `test/build/segmenter.test.ts` compares both.
const {Segmenter} = Intl;

// As in the fast path of string-width, and ASCII controls, between which there always is a boundary; but no CR, which
// would join with LF. Nothing in this set extends or joins a neighbour.
const simple =
	/^[\u0000-\u000C\u000E-\u007E\u00A1-\u00AC\u00AE-\u02FF\u0370-\u0377\u037A-\u037F\u0384-\u0482\u048A-\u052F\u2010-\u2027\u2030-\u205E\u2190-\u21FF\u2500-\u25FC\u2713-\u2718\u276F\u2800-\u28FF]*$/;

class SimpleSegments {
	constructor(input) {
		this.input = input;
	}

	containing(index = 0) {
		const at = Math.trunc(index) || 0;
		if (at < 0 || at >= this.input.length) return undefined;
		return {segment: this.input[at], index: at, input: this.input};
	}

	*[Symbol.iterator]() {
		const {input} = this;
		for (let index = 0; index < input.length; index++) yield {segment: input[index], index, input};
	}
}

export class QuickSegmenter {
	#original;
	#options;
	#graphemes;

	constructor(...options) {
		this.#options = options;
		this.#graphemes = (options[1]?.granularity ?? 'grapheme') === 'grapheme';
	}

	segment(text) {
		if (this.#graphemes && simple.test(text)) return new SimpleSegments(String(text));
		this.#original ??= new Segmenter(...this.#options);
		return this.#original.segment(text);
	}
}
