import type {InstanceDetail} from '../model/instance.ts';
import type {InstanceSnapshots} from '../model/snapshot.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {dataText, type Format, formatOf, formats} from './formats.ts';
import {infoCsv, infoData, infoTable, infoYamlData} from './info-output.ts';
import {usageError} from './parse.ts';
import {inListOrder, tellProblems} from './snapshot-list.ts';
import {byInstance, demandSnapshots, instanceAndSnapshot, meansSnapshot} from './snapshot-name.ts';
import {snapshotCsv, snapshotJson, snapshotTable, snapshotYaml} from './snapshot-output.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const format = formatOf(args, formats);
	const names = [...new Set(args.positionals)];
	const some = byInstance(names.filter(meansSnapshot).map(instanceAndSnapshot));
	const instances = names.filter(name => !meansSnapshot(name));
	const areAll = args.has('snapshots');
	if (format === 'csv' && !areAll && instances.length > 0 && some.size > 0) {
		throw usageError('Instances and snapshots cannot be mixed in CSV.', 'Ask for them one after the other.');
	}
	const snapshots = areAll || some.size > 0 ? await chosenSnapshots({areAll, instances, some}, context) : undefined;
	const engine = await context.engine();
	// Of snapshots alone no guest needs to be asked.
	const hasDetails = snapshots === undefined || (!areAll && instances.length > 0);
	const [details, overview] = await Promise.all([
		hasDetails ? engine.info({names: instances, runtime: !args.has('no-runtime-information')}) : [],
		engine.overview(),
	]);
	const hasSnapshots = overview.driver.capabilities.snapshots.can !== 'no';
	context.stdout.write(await text(format, {details, snapshots, hasSnapshots}));
	return 0;
}

/** Those that are named, and with `--snapshots` all of the instances that are named, or all there are. */
async function chosenSnapshots(
	wanted: {
		readonly areAll: boolean;
		readonly instances: readonly string[];
		readonly some: ReadonlyMap<string, readonly string[]>;
	},
	context: CommandContext,
): Promise<readonly InstanceSnapshots[]> {
	const {areAll, instances, some} = wanted;
	const engine = await context.engine();
	if (some.size > 0) await demandSnapshots(some, engine);
	const names = [...some.keys(), ...(areAll ? instances : [])];
	const found = await inListOrder(await engine.snapshots({names}), engine);
	tellProblems(found, context);
	const isWhole = (name: string) => areAll && (names.length === 0 || instances.includes(name));
	return found.map(each =>
		isWhole(each.name)
			? each
			: {...each, snapshots: each.snapshots.filter(({name}) => some.get(each.name)?.includes(name))},
	);
}

type Found = {
	readonly details: readonly InstanceDetail[];
	/** Absent: only instances were asked for. */
	readonly snapshots: readonly InstanceSnapshots[] | undefined;
	readonly hasSnapshots: boolean;
};

async function text(format: Format, {details, snapshots, hasSnapshots}: Found): Promise<string> {
	const tables = () =>
		[
			...(snapshots === undefined || details.length > 0 ? [infoTable(details, hasSnapshots)] : []),
			...(snapshots === undefined ? [] : [snapshotTable(snapshots)]),
		].join('\n');
	switch (format) {
		case 'table':
			return tables();
		case 'csv':
			return snapshots === undefined || details.length > 0 ? infoCsv(details, hasSnapshots) : snapshotCsv(snapshots);
		case 'json': {
			const {errors, info} = infoData(details, hasSnapshots);
			return dataText(format, {errors, info: joined(info, snapshotJson(snapshots ?? []))});
		}
		case 'yaml': {
			const {errors, ...info} = infoYamlData(details, hasSnapshots);
			return dataText(format, {errors, ...joined(info, snapshotYaml(snapshots ?? []))});
		}
	}
}

type Entries = Readonly<Record<string, unknown>>;

/** What is said of an instance and of its snapshots, under one name. */
function joined(info: Entries, snapshots: Entries): Entries {
	const names = [...new Set([...Object.keys(info), ...Object.keys(snapshots)])];
	return Object.fromEntries(
		names.map(name => {
			const [one, other] = [info[name], snapshots[name]];
			if (one === undefined || other === undefined) return [name, one ?? other];
			// YAML has a list of one entry there.
			if (Array.isArray(one) && Array.isArray(other)) return [name, [{...one[0], ...other[0]}]];
			return [name, {...one, ...other}];
		}),
	);
}
