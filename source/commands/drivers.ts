import type {CommandArguments, CommandContext} from './command.ts';
import {driverEntry, driversTable} from './driver-output.ts';
import {dataText, formatOf} from './formats.ts';
import {atMost} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const engine = await context.engine();
	const drivers = await engine.drivers();
	context.stdout.write(
		format === 'table' ? driversTable(drivers) : await dataText(format, {drivers: drivers.map(driverEntry)}),
	);
	return 0;
}
