import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {compactTable, dataText, formatOf} from './formats.ts';
import {oneName} from './parse.ts';
import {timeText} from './time-text.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const name = oneName(args);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const engine = await context.engine();
	const events = (await engine.instanceEvents({name})).map(({at, what, by}) => ({
		at: plainLine(at),
		what: plainLine(what),
		...(by === undefined ? {} : {by: plainLine(by)}),
	}));
	if (format !== 'table') {
		context.stdout.write(await dataText(format, {events}));
	} else if (events.length === 0) {
		context.stdout.write('No events.\n');
	} else {
		const rows = events.map(event => [timeText(event.at), event.by ?? '--', event.what]);
		context.stdout.write(compactTable([['Time', 'By', 'Event'], ...rows]));
	}
	return 0;
}
