import path from 'node:path';
import {aliasNameOf, aliasNameProblem, parseDefinition, withAlias} from '../model/alias.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {thisSystem} from '../platform/system.ts';
import {absence} from './absent.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {atMost, usageError} from './parse.ts';
import {findCommand} from './table.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [definition, given] = args.positionals;
	if (definition === undefined) throw usageError('Wrong number of arguments: a definition is needed.');
	atMost(args, 2);
	const {instance, command} = parseDefinition(definition);
	const name = given ?? aliasNameOf(command);
	checkAliasName(name);
	const engine = await context.engine();
	if (!(await engine.list()).some(each => each.name === instance)) {
		throw new DroverError('instance.missing', `instance "${instance}" does not exist`, {
			next: 'drover list shows the instances there are.',
		});
	}
	const store = await context.aliases();
	let isFirst = false;
	await store.change(book => {
		isFirst = book.aliases.length === 0;
		return withAlias(book, {name, instance, command, map: !args.has('no-map-working-directory')});
	});
	if (isFirst) tellPath(store.scripts, context);
	return 0;
}

/** @throws DroverError `usage.invalid` for what is no name, or would be taken for a command */
function checkAliasName(name: string): void {
	const isCommand = findCommand(name) !== undefined || absence(name) !== undefined;
	const problem = isCommand ? 'it is a command of drover’s' : aliasNameProblem(name);
	if (problem === undefined) return;
	throw usageError(
		`Invalid alias name ${JSON.stringify(plainLine(name).slice(0, 80))}: ${problem}.`,
		'Give another one: drover alias <instance>:<command> <name>.',
	);
}

/** Once, with the first alias. Rule: Multipass. */
function tellPath(scripts: string, {env, stderr}: CommandContext): void {
	const directories = (env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
	if (directories.some(directory => path.resolve(directory) === scripts)) return;
	if (thisSystem().platform === 'win32') {
		stderr.write(
			`To call aliases by their names alone, without drover before them, add this directory\nto your PATH (Settings, "environment variables"):\n\n${plainLine(scripts)}\n`,
		);
		return;
	}
	stderr.write(
		`To call aliases by their names alone, without drover before them, add this to the\nconfiguration of your shell (.bashrc, .zshrc or so):\n\nPATH="$PATH:${plainLine(scripts)}"\n`,
	);
}
