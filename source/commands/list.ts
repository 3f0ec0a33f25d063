import type {InstanceView} from '../model/instance.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {columnWidth, csvLineQuoting, dataText, formatOf, formats, tableText} from './formats.ts';
import {imageTitle} from './image-title.ts';
import {atMost, usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const format = formatOf(args, formats);
	if (args.has('snapshots')) {
		if (args.has('no-ipv4')) throw usageError('IP addresses are not applicable in conjunction with listing snapshots.');
		const {listSnapshots} = await import('./snapshot-list.ts');
		return listSnapshots(format, context);
	}
	const engine = await context.engine();
	const found = await engine.list();
	const instances = args.has('no-ipv4') ? found.map(instance => ({...instance, ipv4: []})) : found;
	switch (format) {
		case 'table':
			context.stdout.write(listTable(instances));
			break;
		case 'csv':
			context.stdout.write(listCsv(instances));
			break;
		case 'json':
			context.stdout.write(await dataText(format, {list: instances.map(entry)}));
			break;
		case 'yaml':
			context.stdout.write(
				await dataText(format, Object.fromEntries(instances.map(i => [i.name, [withoutName(entry(i))]]))),
			);
	}
	return 0;
}

/** Columns as in Multipass: a second address has a line of its own. */
export function listTable(instances: readonly InstanceView[]): string {
	if (instances.length === 0) return 'No instances found.\n';
	const rows = [['Name', 'State', 'IPv4', 'Image']];
	for (const instance of instances) {
		const [first = '--', ...more] = instance.ipv4.map(plainLine);
		rows.push([instance.name, instance.state, first, release(instance)]);
		rows.push(...more.map(address => ['', '', address, '']));
	}
	const names = instances.map(instance => instance.name);
	const addresses = instances.flatMap(instance => instance.ipv4.map(plainLine));
	return tableText(rows, [columnWidth(names, 24), 18, columnWidth(addresses, 17)]);
}

const release = ({image}: InstanceView) => imageTitle(image) || 'Not Available';

/** With Multipass's columns; drover knows no IPv6 addresses. */
function listCsv(instances: readonly InstanceView[]): string {
	const lines = instances.map(instance => {
		const addresses = instance.ipv4.map(plainLine);
		const fields = [instance.name, instance.state, addresses[0] ?? '', '', release(instance)];
		return csvLineQuoting(fields, addresses.join(','));
	});
	return `Name,State,IPv4,IPv6,Release,AllIPv4\n${lines.join('')}`;
}

function entry(instance: InstanceView) {
	return {
		name: instance.name,
		state: instance.state,
		ipv4: instance.ipv4.map(plainLine),
		release: release(instance),
		// Multipass has no words for these; absent where there is nothing to say.
		...(instance.kind === undefined ? {} : {type: instance.kind}),
		...(instance.member === undefined ? {} : {member: plainLine(instance.member)}),
	};
}

function withoutName({name: _, ...rest}: ReturnType<typeof entry>) {
	return rest;
}
