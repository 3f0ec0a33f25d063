import fc from 'fast-check';
import {expect, test} from 'vitest';
import {encodeMessage, FramingError, MessageDecoder} from '../../source/protocol/framing.ts';

function decode(bytes: Buffer, cuts: readonly number[], limit = 10_000): unknown[] {
	const decoder = new MessageDecoder(limit);
	const messages: unknown[] = [];
	let from = 0;
	for (const cut of [...[...cuts].sort((a, b) => a - b), bytes.length]) {
		decoder.push(bytes.subarray(from, cut));
		from = cut;
		for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
	}
	return messages;
}

test('messages come out as they went in, however the stream is cut', () => {
	fc.assert(
		fc.property(
			fc.array(fc.dictionary(fc.string(), fc.string({unit: 'grapheme'})), {maxLength: 5}),
			fc.array(fc.nat(2000)),
			(messages, positions) => {
				const bytes = Buffer.from(messages.map(message => encodeMessage(message)).join(''));
				const cuts = positions.map(position => position % (bytes.length + 1));
				expect(decode(bytes, cuts)).toEqual(JSON.parse(JSON.stringify(messages)));
			},
		),
	);
});

test('one byte at a time', () => {
	const bytes = Buffer.from(encodeMessage({text: 'grün\r\n\r\n│'}));
	expect(decode(bytes, bytes.map((_, index) => index) as unknown as number[])).toEqual([{text: 'grün\r\n\r\n│'}]);
});

test.each([
	['no header', 'x'.repeat(1024)],
	['a header without a length', 'Content-Type: x\r\n\r\n{}'],
	['a length that is not a number', 'Content-Length: -1\r\n\r\n{}'],
	['too long', 'Content-Length: 10001\r\n\r\n'],
	['an absurd length', `Content-Length: ${'9'.repeat(40)}\r\n\r\n`],
	['not JSON', 'Content-Length: 3\r\n\r\n{,}'],
])('%s is refused', (_what, text) => {
	expect(() => decode(Buffer.from(text), [])).toThrow(FramingError);
});

test('a message at the limit passes', () => {
	const message = {text: 'x'.repeat(9989)};
	expect(JSON.stringify(message)).toHaveLength(10_000);
	expect(decode(Buffer.from(encodeMessage(message)), [5000])).toEqual([message]);
});
