import {version as client} from '../model/build.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {csvLine, dataText, formatOf, formats} from './formats.ts';
import {atMost} from './parse.ts';

/** The daemon's line only when one runs: a question about versions starts nothing. */
export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const format = formatOf(args, formats);
	const daemon = await daemonVersion(context);
	switch (format) {
		case 'table':
			context.stdout.write(`drover   ${client}\n${daemon === undefined ? '' : `droverd  ${daemon}\n`}`);
			break;
		case 'csv':
			context.stdout.write(`Drover,Droverd,Title,Description,URL\n${csvLine([client, daemon ?? '', '', '', ''])}`);
			break;
		case 'json':
		case 'yaml':
			// Not `multipass`: who reads that key compares it with Multipass's own numbers.
			context.stdout.write(
				await dataText(format, {drover: client, ...(daemon === undefined ? {} : {droverd: daemon})}),
			);
	}
	return 0;
}

async function daemonVersion(context: CommandContext): Promise<string | undefined> {
	try {
		const engine = await context.engine({start: false});
		return plainLine((await engine.overview()).daemon.version);
	} catch (error) {
		if (error instanceof DroverError && error.code.startsWith('daemon.')) return undefined;
		throw error;
	}
}
