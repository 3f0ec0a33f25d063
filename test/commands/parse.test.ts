import {describe, expect, test} from 'vitest';
import type {CommandSpec} from '../../source/commands/command.ts';
import {loaders} from '../../source/commands/loaders.ts';
import {atMost, namesOrAll, oneName, parseCommand, timeoutOf, wholeNumber} from '../../source/commands/parse.ts';
import {commandTable} from '../../source/commands/table.ts';

const spec: CommandSpec = {
	name: 'try',
	usage: '',
	summary: '',
	options: [
		{long: 'name', short: 'n', value: '<name>', help: ''},
		{long: 'network', value: '<spec>', repeatable: true, help: ''},
		{long: 'all', short: 'a', help: ''},
		{long: 'timeout', value: '<s>', help: ''},
	],
};

describe('options', () => {
	test.each([
		[['--name', 'web']],
		[['--name=web']],
		[['-n', 'web']],
		[['-nweb']],
		[['-n=web']],
		[['-an', 'web']],
		[['--name', 'old', '--name', 'web']],
	])('%j gives the value', argv => {
		expect(parseCommand(spec, argv).value('name')).toBe('web');
	});

	test('a value may begin with a hyphen', () => {
		expect(parseCommand(spec, ['--name', '-1']).value('name')).toBe('-1');
		expect(parseCommand(spec, ['--name=']).value('name')).toBe('');
	});

	test('options may stand after arguments, and none after --', () => {
		const args = parseCommand(spec, ['one', '-a', 'two', '--', '--name', '-x']);
		expect(args.positionals).toEqual(['one', 'two', '--name', '-x']);
		expect(args.has('all')).toBe(true);
		expect(args.has('name')).toBe(false);
	});

	test('only the first -- is taken away', () => {
		expect(parseCommand(spec, ['a', '--', 'b', '--', 'c']).positionals).toEqual(['a', 'b', '--', 'c']);
	});

	test('repeated values keep their order', () => {
		expect(parseCommand(spec, ['--network', 'a', '--network=b']).values('network')).toEqual(['a', 'b']);
		expect(parseCommand(spec, []).values('network')).toEqual([]);
	});

	test('verbosity counts', () => {
		expect(parseCommand(spec, ['-vvv', '--verbose']).verbosity).toBe(4);
	});

	test.each([
		[['--nonsense'], "Unknown option 'nonsense'."],
		[['-x'], "Unknown option 'x'."],
		[['--n', 'web'], "Unknown option 'n'."],
		[['--name'], 'The option --name needs a value: --name <name>.'],
		[['-n'], 'The option -n needs a value: -n <name>.'],
		[['--all=yes'], 'The option --all takes no value.'],
		[['--toString'], "Unknown option 'toString'."],
		[['--__proto__=1'], "Unknown option '__proto__'."],
	])('%j is refused', (argv, message) => {
		expect(() => parseCommand(spec, argv)).toThrow(expect.objectContaining({code: 'usage.invalid', message}));
	});
});

describe('arguments', () => {
	const parsed = (...argv: string[]) => parseCommand(spec, argv);
	test('rules', () => {
		expect(() => atMost(parsed('a'), 0)).toThrow('This command takes no arguments.');
		expect(() => atMost(parsed('a', 'b'), 1)).toThrow('Too many arguments supplied.');
		expect(() => oneName(parsed())).toThrow('Name argument is required.');
		expect(() => namesOrAll(parsed('a', '--all'))).toThrow('Cannot specify names');
		expect(namesOrAll(parsed('b', 'a', 'b'))).toEqual({names: ['b', 'a'], all: false});
	});

	test.each(['0', '-1', '1.5', 'x', '', '99999999999', '1e3', ' 1'])('timeout %j is refused', text => {
		expect(() => timeoutOf(parsed('--timeout', text))).toThrow('positive whole number');
	});

	test('timeout and whole numbers', () => {
		expect(timeoutOf(parsed('--timeout', '90'))).toBe(90);
		expect(timeoutOf(parsed())).toBeUndefined();
		expect(wholeNumber('007')).toBe(7);
		expect(wholeNumber('+7')).toBeUndefined();
	});
});

describe('the table', () => {
	test('no name, alias, option or short option twice', () => {
		const names = commandTable.flatMap(command => [command.name, ...(command.aliases ?? [])]);
		expect(new Set(names).size).toBe(names.length);
		for (const command of commandTable) {
			const options = command.options ?? [];
			const all = [
				...options.map(option => option.long),
				...options.flatMap(option => option.short ?? []),
				'help',
				'h',
				'v',
			];
			expect(new Set(all).size, command.name).toBe(all.length);
		}
	});

	test('every command has a file with a run', async () => {
		expect(Object.keys(loaders).toSorted()).toEqual(commandTable.map(command => command.name).toSorted());
		for (const load of Object.values(loaders)) expect(typeof (await load()).run).toBe('function');
	});
});
