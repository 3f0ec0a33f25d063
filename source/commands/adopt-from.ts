import type {Adoptable} from '../drivers/driver.ts';
import type {Engine} from '../engine/engine.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {eachInTurn} from './each.ts';
import {compactTable, dataText} from './formats.ts';
import {namesOrAll, usageError} from './parse.ts';

/** Takes over instances that other software made; with none named lists those there are. */
export async function adoptFrom(
	from: string,
	args: CommandArguments,
	format: 'table' | 'json' | 'yaml',
	context: CommandContext,
): Promise<number> {
	const {names, all} = namesOrAll(args);
	const isListing = names.length === 0 && !all;
	if (args.has('format') && !isListing) throw usageError('--format is for the list, which is without names.');
	const engine = await context.engine();
	const found = isListing || all ? await adoptablesOf(from, engine) : [];
	if (isListing) {
		context.stdout.write(
			format === 'table' ? await listText(from, found, engine) : await dataText(format, {adoptables: found}),
		);
		return 0;
	}
	const able = found.filter(each => each.problem === undefined);
	for (const {name, problem} of found) {
		if (problem !== undefined) context.stderr.write(`${name} is left where it is: ${problem}.\n`);
	}
	await eachInTurn(all ? able.map(each => each.name) : names, async name => {
		const {state} = await engine.adopt({name, from, by: context.user});
		context.stdout.write(`Adopted: ${plainLine(name)} (${state})\n`);
	});
	return 0;
}

/** By name, with the words of others made safe; the names as they are, which is what they are asked for by. */
async function adoptablesOf(from: string, engine: Engine): Promise<readonly Adoptable[]> {
	return (await engine.adoptables())
		.filter(each => each.from.toLowerCase() === from && each.name === plainLine(each.name))
		.map(({problem, ...each}) => ({
			...each,
			from: plainLine(each.from),
			state: plainLine(each.state),
			...(problem === undefined ? {} : {problem: plainLine(problem).replace(/\.$/, '')}),
		}))
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function listText(from: string, found: readonly Adoptable[], engine: Engine): Promise<string> {
	if (found.length === 0) {
		const {driver} = await engine.overview();
		return `The driver ${driver.name} sees no instances of ${plainLine(from).slice(0, 40)}.\n`;
	}
	const rows = found.map(({name, state, problem}) => [name, state, problem ?? 'can be taken over']);
	return compactTable([['Name', 'State', ''], ...rows]);
}
