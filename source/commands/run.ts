import {findAlias} from '../model/alias.ts';
import {DroverError, type ErrorData, errorData, exitCodeOf} from '../model/errors.ts';
import {plainLine, plainText} from '../model/text.ts';
import {absence} from './absent.ts';
import {type CommandContext, EarlyExit} from './command.ts';
import {loaders} from './loaders.ts';
import {parseCommand, usageError} from './parse.ts';
import {findCommand} from './table.ts';

/**
 * Runs one command line (without `node` and the script).
 * @returns the exit code: 0 done, 1 not understood, 2 refused or failed, 3 no daemon, 5 timed out, 130 interrupted,
 * and of `shell` and `exec` the guest's, 255 when ssh failed
 */
export async function runCommand(argv: readonly string[], context: CommandContext): Promise<number> {
	let name = 'drover';
	let verbosity = 0;
	try {
		const split = splitGlobal(argv);
		verbosity = split.verbosity;
		if (split.wants === 'help') return await showHelp(context, 0);
		if (split.command === undefined && split.wants === undefined) return await showHelp(context, 2);
		name = split.command ?? 'version';
		const spec = findCommand(name);
		if (spec === undefined) {
			const alias = findAlias(await (await context.aliases()).read(), name);
			if (alias !== undefined) {
				const {runAlias} = await import('./run-alias.ts');
				return await runAlias(alias, split.rest, verbosity, context);
			}
			const sentence = absence(name);
			if (sentence === undefined) {
				const shown = plainLine(name).slice(0, 80);
				// On stdout, where Multipass has it.
				context.stdout.write(`Error: Unknown command or alias '${shown}' (try "drover help").\n`);
				return 1;
			}
			context.stderr.write(`${name} failed: ${sentence}\n`);
			return 2;
		}
		name = spec.name;
		const args = parseCommand(spec, split.rest);
		verbosity += args.verbosity;
		if (args.has('help')) {
			const {commandHelp} = await import('./help-text.ts');
			context.stdout.write(commandHelp(spec));
			return 0;
		}
		const {run} = await loaders[spec.name]!();
		return await run({...args, verbosity}, context);
	} catch (error) {
		if (error instanceof EarlyExit) {
			context.stderr.write(`${plainLine(error.message)}\n`);
			return error.code;
		}
		context.stderr.write(failureText(name, errorData(error), verbosity));
		if (verbosity > 1 && error instanceof Error && !(error instanceof DroverError)) {
			context.stderr.write(`${plainText(error.stack ?? '')}\n`);
		}
		return exitCodeOf(errorData(error).code);
	}
}

/** Options before the command: `-h`, `-V` and any number of `-v`. */
function splitGlobal(argv: readonly string[]): {
	verbosity: number;
	wants?: 'help' | 'version';
	command?: string;
	rest: readonly string[];
} {
	let verbosity = 0;
	for (const [index, argument] of argv.entries()) {
		if (argument === '-h' || argument === '--help') return {verbosity, wants: 'help', rest: []};
		if (argument === '-V' || argument === '--version') return {verbosity, wants: 'version', rest: []};
		if (/^-v+$/.test(argument)) verbosity += argument.length - 1;
		else if (argument === '--verbose') verbosity++;
		else if (argument.startsWith('-') && argument !== '-') {
			throw usageError(
				`Unknown option '${plainLine(argument).replace(/^-+/, '').slice(0, 80)}'.`,
				'Try "drover help".',
			);
		} else return {verbosity, command: argument, rest: argv.slice(index + 1)};
	}
	return {verbosity, rest: []};
}

async function showHelp(context: CommandContext, code: number): Promise<number> {
	const {generalHelp} = await import('./help-text.ts');
	context.stdout.write(generalHelp());
	return code;
}

/** `launch failed: …`, what to do next on the next line, and with `-v` the technical cause. */
export function failureText(command: string, error: ErrorData, verbosity = 0): string {
	const message = error.message.split('\n').map(plainLine).join('\n');
	const lines = [`${command} failed: ${message}`];
	if (error.next !== undefined) lines.push(plainLine(error.next));
	if (verbosity > 0 && error.cause !== undefined) lines.push(`Cause: ${plainLine(error.cause)}`);
	return `${lines.join('\n')}\n`;
}
