import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {parse} from 'yaml';
import {toYaml} from '../../source/commands/yaml.ts';

/** Texts that some reader of YAML takes for something else. */
const treacherous = [
	'',
	' ',
	'~',
	'null',
	'Null',
	'yes',
	'no',
	'on',
	'off',
	'y',
	'n',
	'true',
	'FALSE',
	'1',
	'0x1F',
	'0o17',
	'017',
	'1e3',
	'1_000',
	'.5',
	'1.5',
	'24.04',
	'.inf',
	'.nan',
	'12:30',
	'190:20:30',
	'2026-01-02',
	'2026-01-02T03:04:05Z',
	'<<',
	'=',
	'-',
	'- a',
	'a: b',
	'a:',
	'a #b',
	'#a',
	'&a',
	'*a',
	'!a',
	'|',
	'>',
	'%a',
	'@a',
	'`a`',
	'"a"',
	"'a'",
	'[a]',
	'{a}',
	',a',
	'a,b',
	'? a',
	'a\nb',
	'a\tb',
	'ü',
	'日本',
	'\u0085',
	'--- a',
	'...',
	'10.97.0.7',
	'24.04 LTS',
	'Micro 1',
	'trailing ',
	' leading',
	'\\',
	'1797c5c82016',
	'12e45',
	'/home/kim',
];

describe('toYaml', () => {
	test.each(treacherous)('%j is still that text', text => {
		for (const version of ['1.1', '1.2'] as const) {
			expect(parse(toYaml({key: text}), {version})).toEqual({key: text});
			expect(parse(toYaml([text]), {version})).toEqual([text]);
			expect(parse(toYaml({[text]: 1}), {version, stringKeys: true})).toEqual({[text]: 1});
		}
	});

	test('any data comes back', () => {
		const leaf = fc.oneof(
			fc.string({unit: 'grapheme'}).filter(text => !text.includes('__proto__')),
			fc.constantFrom(...treacherous),
			fc.integer(),
			fc.boolean(),
			fc.constant(null),
		);
		const key = fc.string({minLength: 1}).filter(text => text !== '__proto__');
		const {data} = fc.letrec(tie => ({
			data: fc.oneof(
				{maxDepth: 4},
				leaf,
				fc.array(tie('data'), {maxLength: 4}),
				fc.dictionary(key, tie('data'), {maxKeys: 4, noNullPrototype: true}),
			),
		}));
		fc.assert(
			fc.property(data, value => {
				expect(parse(toYaml(value), {stringKeys: true})).toEqual(value);
			}),
			{numRuns: 500},
		);
	});

	test('plain where it can be', () => {
		expect(
			toYaml({
				web: [{state: 'Running', ipv4: ['10.97.0.7'], release: '24.04 LTS', cpus: 2, none: null, empty: [], map: {}}],
			}),
		).toBe(
			'web:\n  - state: Running\n    ipv4:\n      - 10.97.0.7\n    release: 24.04 LTS\n    cpus: 2\n    none: ~\n    empty: []\n    map: {}\n',
		);
	});

	test('what is undefined is left out', () => {
		expect(toYaml({a: 1, b: undefined})).toBe('a: 1\n');
		expect(toYaml({})).toBe('{}\n');
	});
});
