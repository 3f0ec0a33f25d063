import {parseArgs} from 'node:util';
import {DroverError} from '../model/errors.ts';
import type {CommandArguments, CommandSpec, OptionSpec} from './command.ts';

/** Options that every command has. */
export const commonOptions: readonly OptionSpec[] = [
	{long: 'help', short: 'h', help: 'Display this help'},
	{long: 'verbose', short: 'v', help: 'Tell the technical cause of a failure, too'},
];

export function usageError(message: string, next?: string): DroverError {
	return new DroverError('usage.invalid', message, {next});
}

/**
 * Reads what follows the command's name: long and short options in any place before `--`, short ones joined, values
 * after `=` or as the next word (the rules that Multipass takes from Qt).
 * @throws DroverError `usage.invalid`
 */
export function parseCommand(spec: CommandSpec, argv: readonly string[]): CommandArguments {
	const known = [...(spec.options ?? []), ...commonOptions];
	const {tokens} = parseArgs({
		args: [...argv],
		strict: false,
		allowPositionals: true,
		tokens: true,
		options: Object.fromEntries(
			known.map(({long, short, value}) => [
				long,
				{type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short ? {short} : {})},
			]),
		),
	});
	const positionals: string[] = [];
	const given = new Map<string, string[]>();
	for (const token of tokens) {
		if (token.kind === 'positional') positionals.push(token.value);
		if (token.kind !== 'option') continue;
		const option = known.find(({long}) => long === token.name);
		// `--n` must not stand for `-n`: the parser gives both the short option's long name only when it was short.
		if (option === undefined) throw unknownOption(spec, token.rawName);
		if (option.value === undefined && token.value !== undefined) {
			throw usageError(`The option --${option.long} takes no value.`);
		}
		if (option.value !== undefined && token.value === undefined) {
			throw usageError(`The option ${token.rawName} needs a value: ${token.rawName} ${option.value}.`);
		}
		const values = given.get(option.long) ?? [];
		// `-n=web` is `-n web`.
		const value = token.value ?? '';
		values.push(token.inlineValue && !token.rawName.startsWith('--') ? value.replace(/^=/, '') : value);
		given.set(option.long, values);
	}
	return {
		positionals,
		has: long => given.has(long),
		value: long => given.get(long)?.at(-1),
		values: long => given.get(long) ?? [],
		verbosity: given.get('verbose')?.length ?? 0,
	};
}

function unknownOption(spec: CommandSpec, rawName: string): DroverError {
	const name = rawName.replace(/^-+/, '').slice(0, 80);
	return usageError(
		`Unknown option '${name}'.`,
		spec.unknownOption ?? `"drover help ${spec.name}" tells the options there are.`,
	);
}

/** @throws DroverError `usage.invalid` when there are more positional arguments than `maximum` */
export function atMost(args: CommandArguments, maximum: number): void {
	if (args.positionals.length <= maximum) return;
	throw usageError(maximum === 0 ? 'This command takes no arguments.' : 'Too many arguments supplied.');
}

/** Names a command acts on, each once. @throws DroverError `usage.invalid` for names together with `--all` */
export function namesOrAll(args: CommandArguments): {names: readonly string[]; all: boolean} {
	const all = args.has('all');
	if (all && args.positionals.length > 0) throw usageError('Cannot specify names when the --all option is set.');
	return {names: [...new Set(args.positionals)], all};
}

/** Seconds of `--timeout`. @throws DroverError `usage.invalid` */
export function timeoutOf(args: CommandArguments): number | undefined {
	const text = args.value('timeout');
	if (text === undefined) return undefined;
	const seconds = wholeNumber(text);
	// The longest a timer can be set to.
	if (seconds === undefined || seconds < 1 || seconds > 2_147_483) {
		throw usageError(`Invalid --timeout ${JSON.stringify(text)}: it must be a positive whole number of seconds.`);
	}
	return seconds;
}

/** Digits only; `undefined` for all else. */
export function wholeNumber(text: string): number | undefined {
	return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** How long a guest may take without being given up, in seconds, when nothing is said. */
const answerDefault = 300;

/** A longer `--timeout` also gives the guest longer; a shorter one ends only the waiting, not the work. */
export function answerTimeout(timeout: number | undefined): {answerTimeout?: number} {
	return timeout !== undefined && timeout > answerDefault ? {answerTimeout: timeout} : {};
}

/** The one instance a command is about. @throws DroverError `usage.invalid` */
export function oneName(args: CommandArguments): string {
	const [name] = args.positionals;
	if (name === undefined) throw usageError('Name argument is required.');
	atMost(args, 1);
	return name;
}
