import type {HostNetwork} from '../model/network.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {columnWidth, csvLineQuoting, dataText, formatOf, formats, tableText} from './formats.ts';
import {atMost} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const format = formatOf(args, formats);
	const engine = await context.engine();
	const networks = (await engine.networks()).map(plainNetwork).sort((a, b) => (a.name < b.name ? -1 : 1));
	switch (format) {
		case 'table':
			context.stdout.write(networksTable(networks));
			break;
		case 'csv':
			context.stdout.write(networksCsv(networks));
			break;
		case 'json':
			context.stdout.write(await dataText(format, {list: networks}));
			break;
		case 'yaml':
			context.stdout.write(
				await dataText(
					format,
					Object.fromEntries(networks.map(({name, type, description}) => [name, [{type, description}]])),
				),
			);
	}
	return 0;
}

/** Names and words of the host's and the hypervisor's. */
function plainNetwork({name, type, description}: HostNetwork): HostNetwork {
	return {name: plainLine(name), type: plainLine(type), description: plainLine(description)};
}

function networksTable(networks: readonly HostNetwork[]): string {
	if (networks.length === 0) return 'No network interfaces found.\n';
	const head = {name: 'Name', type: 'Type', description: 'Description'};
	const all = [head, ...networks];
	const widths = [columnWidth(all.map(network => network.name)), columnWidth(all.map(network => network.type))];
	return tableText(
		all.map(({name, type, description}) => [name, type, description]),
		widths,
	);
}

function networksCsv(networks: readonly HostNetwork[]): string {
	const lines = networks.map(({name, type, description}) => csvLineQuoting([name, type], description));
	return `Name,Type,Description\n${lines.join('')}`;
}
