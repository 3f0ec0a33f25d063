import {DroverError} from '../model/errors.ts';
import {type CloudTemplate, templatePrefix} from '../model/profile.ts';
import {listOf, plainLine, plainText} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {compactTable, dataText, formatOf} from './formats.ts';
import {atMost, usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 2);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const [action = 'list', name] = args.positionals;
	if (action !== 'list' && action !== 'show') {
		throw usageError(`Unknown action ${JSON.stringify(plainLine(action).slice(0, 40))}.`, 'Use list or show.');
	}
	if ((action === 'show') !== (name !== undefined)) {
		throw usageError(
			action === 'show' ? 'The name of a template is required.' : 'Too many arguments supplied.',
			'"drover templates" lists them, "drover templates show <name>" shows one.',
		);
	}
	const templates = await (await context.engine()).templates();
	if (name === undefined) {
		context.stdout.write(
			format === 'table' ? listText(templates) : await dataText(format, {templates: templates.map(entry)}),
		);
		return 0;
	}
	const found = templates.find(template => template.name === name);
	if (found === undefined) {
		throw new DroverError(
			'usage.invalid',
			`There is no template ${JSON.stringify(plainLine(name).slice(0, 80))}; there are ${listOf(templates.map(each => plainLine(each.name)))}.`,
		);
	}
	// Its text as it is, so that it can become a file of one's own.
	context.stdout.write(
		format === 'table' ? plainText(found.text) : await dataText(format, {...entry(found), text: found.text}),
	);
	return 0;
}

function listText(templates: readonly CloudTemplate[]): string {
	const rows = templates.map(({name, title, about, file, problem}) => [
		plainLine(name),
		plainLine(title),
		plainLine(problem === undefined ? about || (file ?? '') : `cannot be used: ${problem}`),
	]);
	const table = compactTable([['Name', 'What', 'About'], ...rows]);
	return `${table}\nUse one with "drover launch --cloud-init ${templatePrefix}<name>".\n`;
}

function entry({name, title, about, file, problem}: CloudTemplate) {
	return {
		name: plainLine(name),
		title: plainLine(title),
		about: plainLine(about),
		...(file === undefined ? {} : {file: plainLine(file)}),
		...(problem === undefined ? {} : {problem: plainLine(problem)}),
	};
}
