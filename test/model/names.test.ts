import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {DroverError} from '../../source/model/errors.ts';
import {checkName, generateName, maximumNameLength, nameProblem} from '../../source/model/names.ts';

/** The rule written out another way: what a label of a host name is, beginning with a letter. */
function isHostLabel(text: string): boolean {
	const characters = [...text];
	const letter = (c: string | undefined) => c !== undefined && /^[A-Za-z]$/.test(c);
	const digit = (c: string | undefined) => c !== undefined && /^[0-9]$/.test(c);
	return (
		text.length <= 63 &&
		letter(characters[0]) &&
		(letter(characters.at(-1)) || digit(characters.at(-1))) &&
		characters.every(c => letter(c) || digit(c) || c === '-')
	);
}

describe('nameProblem', () => {
	test.each(['a', 'Z', 'web-1', 'a--b', 'x'.repeat(63)])('%s is a name', name => {
		expect(nameProblem(name)).toBeUndefined();
		expect(() => checkName(name)).not.toThrow();
	});

	test.each([
		['', 'empty'],
		['1web', 'begin with a letter'],
		['-web', 'begin with a letter'],
		['web-', 'end with a letter or a digit'],
		['we_b', 'only letters'],
		['web.drover', 'only letters'],
		['a/../../etc', 'only letters'],
		['web\n', 'only letters'],
		['wéb', 'only letters'],
		['x'.repeat(64), '64 characters, 63 are allowed'],
	])('%j is none', (name, words) => {
		expect(nameProblem(name)).toContain(words);
	});

	test('agrees with the rule of host names for any text', () => {
		const near = fc.string({unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_', '.', ' ', '\n', 'é'), maxLength: 70});
		fc.assert(
			fc.property(fc.oneof(near, fc.string()), text => (nameProblem(text) === undefined) === isHostLabel(text)),
			{numRuns: 500},
		);
	});
});

describe('checkName', () => {
	test('tells what was wrong without repeating what could steer a terminal', () => {
		fc.assert(
			fc.property(fc.string({unit: 'binary'}), text => {
				fc.pre(nameProblem(text) !== undefined);
				try {
					checkName(text);
					return false;
				} catch (error) {
					if (!(error instanceof DroverError)) return false;
					expect(error.code).toBe('instance.name-invalid');
					expect(error.message).toContain(nameProblem(text));
					expect(error.message).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/);
					expect(error.message.length).toBeLessThan(600);
					return true;
				}
			}),
		);
		expect(() => checkName('a\u202Eb\u009B31m')).toThrow(String.raw`"a\u{202e}b\u{9b}31m"`);
	});
});

describe('generateName', () => {
	test('makes valid names of two words from any chance', () => {
		fc.assert(
			fc.property(fc.infiniteStream(fc.double({min: 0, max: 1, maxExcluded: true, noNaN: true})), stream => {
				const name = generateName(
					() => false,
					() => stream.next().value,
				);
				expect(nameProblem(name)).toBeUndefined();
				expect(name).toMatch(/^[a-z]+-[a-z]+$/);
			}),
		);
	});

	test('never gives a name that is taken, even when all of two words are', () => {
		let seed = 1;
		const random = () => {
			seed = (seed * 48_271) % 2_147_483_647;
			return seed / 2_147_483_647;
		};
		const name = generateName(candidate => !/-\d+$/.test(candidate), random);
		expect(name).toMatch(/^[a-z]+-[a-z]+-\d+$/);
		expect(name.length).toBeLessThanOrEqual(maximumNameLength);
		const taken = new Set<string>();
		for (let count = 0; count < 500; count++) {
			const next = generateName(candidate => taken.has(candidate), random);
			expect(taken.has(next)).toBe(false);
			taken.add(next);
		}
	});
});
