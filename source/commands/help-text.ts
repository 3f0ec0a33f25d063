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
	const parts = [
		[`Usage: drover ${spec.name} ${spec.usage}`, ...wrap(spec.description ?? `${spec.summary}.`, width), ...aliases],
		[
			'Options:',
			...entries(
				options.map(({long, short, value, help}) => [
					`${short ? `-${short}, ` : ''}--${long}${value ? ` ${value}` : ''}`,
					help,
				]),
			),
		],
	];
	if (spec.arguments) parts.push(['Arguments:', ...entries(spec.arguments.map(({name, help}) => [name, help]))]);
	return `${parts.map(part => part.join('\n')).join('\n\n')}\n`;
}

/** Two columns within 80: what it is called, and what it does under it or beside it. */
function entries(items: ReadonlyArray<readonly [string, string]>): string[] {
	const indent = Math.min(36, Math.max(...items.map(([name]) => name.length)) + 4);
	return items.flatMap(([name, help]) => {
		const [first = '', ...rest] = wrap(help, width - indent);
		const pad = ' '.repeat(indent);
		const head = `  ${name}`;
		return head.length + 2 > indent
			? [head, `${pad}${first}`, ...rest.map(line => pad + line)]
			: [`${head.padEnd(indent)}${first}`, ...rest.map(line => pad + line)];
	});
}
