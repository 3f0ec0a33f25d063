import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {oneName, usageError, wholeNumber} from './parse.ts';

const defaultLines = 100;
const maximumLines = 100_000;

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const name = oneName(args);
	const text = args.value('lines') ?? String(defaultLines);
	const lines = wholeNumber(text);
	if (lines === undefined || lines < 1 || lines > maximumLines) {
		throw usageError(`Invalid --lines ${JSON.stringify(text)}: it must be a whole number from 1 to ${maximumLines}.`);
	}
	const engine = await context.engine();
	const found = await engine.consoleLog({name, lines});
	context.stdout.write(found.map(line => `${plainLine(line)}\n`).join(''));
	return 0;
}
