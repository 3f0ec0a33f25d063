import type {CommandSpec} from './command.ts';
import {wrap} from './formats.ts';
import {commonOptions} from './parse.ts';
import {commandTable} from './table.ts';

const width = 80;

/** `Usage: drover <command>` and one line a command. */
export function generalHelp(): string {
	const commands = commandTable.filter(spec => !spec.hidden);
	return [
		'Usage: drover [options] [<command>]',
		'Create, control and connect to virtual machine instances.',
		'',
		'Without a command, drover opens the dashboard.',
		'',
		'Options:',
		...entries([
			...commonOptions.map(option => [`-${option.short}, --${option.long}`, option.help] as const),
			['-V, --version', 'Show version details'],
		]),
		'',
		'Available commands:',
		...entries(commands.map(spec => [spec.name, spec.summary] as const)),
		'',
		'"drover help <command>" tells more about a command, "drover help keys" the keys',
		'of the dashboard.',
		'',
	].join('\n');
}

/** A command's usage, options and arguments. */
export function commandHelp(spec: CommandSpec): string {
	const options = [...commonOptions, ...(spec.options ?? [])].filter(option => !option.hidden);
	const aliases = spec.aliases ? [`Other names: ${spec.aliases.join(', ')}`] : [];
	const optionLines = options.map(({long, short, value, help}) => {
		const name = `${short ? `-${short}, ` : ''}--${long}${value ? ` ${value}` : ''}`;
		return [name, help] as const;
	});
	const argumentLines = (spec.arguments ?? []).map(({name, help}) => [name, help] as const);
	const indent = indentOf([...optionLines, ...argumentLines]);
	const parts = [
		[`Usage: drover ${spec.name} ${spec.usage}`, ...wrap(spec.description ?? `${spec.summary}.`, width), ...aliases],
		['Options:', ...entries(optionLines, indent)],
	];
	if (argumentLines.length > 0) parts.push(['Arguments:', ...entries(argumentLines, indent)]);
	return `${parts.map(part => part.join('\n')).join('\n\n')}\n`;
}

type Entry = readonly [name: string, help: string];

function indentOf(items: readonly Entry[]): number {
	return Math.min(30, Math.max(...items.map(([name]) => name.length)) + 4);
}

/** Two columns within 80: what it is called, and what it does under it or beside it. */
function entries(items: readonly Entry[], indent = indentOf(items)): string[] {
	return items.flatMap(([name, help]) => {
		const [first = '', ...rest] = wrap(help, width - indent);
		const pad = ' '.repeat(indent);
		const head = `  ${name}`;
		return head.length + 2 > indent
			? [head, `${pad}${first}`, ...rest.map(line => pad + line)]
			: [`${head.padEnd(indent)}${first}`, ...rest.map(line => pad + line)];
	});
}
