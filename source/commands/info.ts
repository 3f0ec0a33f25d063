import {DroverError} from '../model/errors.ts';
import type {InstanceDetail} from '../model/instance.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {dataText, formatOf, formats} from './formats.ts';
import {infoCsv, infoData, infoTable, infoYamlData} from './info-output.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const format = formatOf(args, formats);
	const names = [...new Set(args.positionals)];
	// No instance has a dot in its name: this is how a snapshot is written.
	if (args.has('snapshots') || names.some(name => name.includes('.'))) {
		throw new DroverError('driver.incapable', 'snapshots are not in this version of drover.');
	}
	const engine = await context.engine();
	const [details, overview] = await Promise.all([
		engine.info({names, runtime: !args.has('no-runtime-information')}),
		engine.overview(),
	]);
	const hasSnapshots = overview.driver.capabilities.snapshots.can !== 'no';
	context.stdout.write(await text(format, details, hasSnapshots));
	return 0;
}

async function text(
	format: (typeof formats)[number],
	details: readonly InstanceDetail[],
	hasSnapshots: boolean,
): Promise<string> {
	switch (format) {
		case 'table':
			return infoTable(details, hasSnapshots);
		case 'csv':
			return infoCsv(details, hasSnapshots);
		case 'json':
			return dataText(format, infoData(details, hasSnapshots));
		case 'yaml':
			return dataText(format, infoYamlData(details, hasSnapshots));
	}
}
