import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {FrameReader, framed, longestFrame} from '../../source/network/frames.ts';

const frame = fc.uint8Array({minLength: 14, maxLength: 300}).map(bytes => Buffer.from(bytes));

describe('frames', () => {
	test('come out as they went in, however they are cut', () => {
		fc.assert(
			fc.property(fc.array(frame, {maxLength: 12}), fc.array(fc.integer({min: 1, max: 400})), (frames, cuts) => {
				const stream = Buffer.concat(frames.map(framed));
				const reader = new FrameReader();
				const found: Buffer[] = [];
				let at = 0;
				for (const cut of [...cuts, stream.length]) {
					reader.read(stream.subarray(at, at + cut), each => found.push(Buffer.from(each.subarray(4))));
					at += cut;
				}
				expect(found).toEqual(frames);
			}),
		);
	});

	test('what cannot be a frame is told, and nothing is kept for it', () => {
		for (const length of [0, 13, longestFrame + 1, 0xffff_ffff]) {
			const head = Buffer.alloc(4);
			head.writeUInt32BE(length);
			expect(() => new FrameReader().read(head, () => {})).toThrow(RangeError);
		}
	});

	test('the longest there is', () => {
		const longest = Buffer.alloc(longestFrame, 7);
		const reader = new FrameReader();
		const found: number[] = [];
		const stream = framed(longest);
		for (let at = 0; at < stream.length; at += 65_536) {
			reader.read(stream.subarray(at, at + 65_536), each => found.push(each.length));
		}
		expect(found).toEqual([longestFrame + 4]);
	});
});
