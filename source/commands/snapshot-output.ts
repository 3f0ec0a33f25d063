import {humanSize} from '../model/sizes.ts';
import type {InstanceSnapshots, SnapshotView} from '../model/snapshot.ts';
import {plainLine, plainText} from '../model/text.ts';
import {csvLineQuoting} from './formats.ts';
import {mountEntries, mountField, mountLines} from './mount-output.ts';

type Entries = Readonly<Record<string, unknown>>;

const some = (all: readonly InstanceSnapshots[]) => all.filter(({snapshots}) => snapshots.length > 0);

/** By instance, with Multipass's keys and types; what a snapshot takes on the disk is not told. */
export function snapshotJson(all: readonly InstanceSnapshots[]): Entries {
	return Object.fromEntries(
		some(all).map(({name, snapshots}) => [
			name,
			{snapshots: Object.fromEntries(snapshots.map(each => [each.name, jsonEntry(each)]))},
		]),
	);
}

function jsonEntry({hardware, mounts, createdAt, parent, children, comment}: SnapshotView) {
	return {
		size: '',
		cpu_count: String(hardware.cpus),
		disk_space: humanSize(hardware.disk),
		memory_size: humanSize(hardware.memory),
		mounts: mountEntries(mounts),
		created: createdAt,
		parent: parent ?? '',
		children,
		comment: plainText(comment),
	};
}

export function snapshotYaml(all: readonly InstanceSnapshots[]): Entries {
	return Object.fromEntries(
		some(all).map(({name, snapshots}) => [
			name,
			[{snapshots: snapshots.map(each => ({[each.name]: yamlEntry(each)}))}],
		]),
	);
}

function yamlEntry({hardware, mounts, createdAt, parent, children, comment}: SnapshotView) {
	return {
		size: null,
		cpu_count: hardware.cpus,
		disk_space: humanSize(hardware.disk),
		memory_size: humanSize(hardware.memory),
		mounts: mounts.length === 0 ? null : mountEntries(mounts),
		created: createdAt,
		parent: parent ?? null,
		children,
		comment: comment === '' ? null : plainText(comment),
	};
}

export function snapshotCsv(all: readonly InstanceSnapshots[]): string {
	const lines = all.flatMap(instance =>
		instance.snapshots.map(({name, hardware, mounts, createdAt, parent, children, comment}) =>
			csvLineQuoting(
				[
					name,
					instance.name,
					String(hardware.cpus),
					humanSize(hardware.disk),
					humanSize(hardware.memory),
					mountField(mounts),
					createdAt,
					parent ?? '',
					children.join(';'),
				],
				comment,
			),
		),
	);
	return `Snapshot,Instance,CPU(s),Disk space,Memory size,Mounts,Created,Parent,Children,Comment\n${lines.join('')}`;
}

const indent = 16;

/** One block a snapshot, as `info` has one an instance. */
export function snapshotTable(all: readonly InstanceSnapshots[]): string {
	const blocks = all.flatMap(({name, snapshots}) => snapshots.map(snapshot => block(name, snapshot)));
	return blocks.length === 0 ? 'No snapshots found.\n' : blocks.join('\n');
}

function block(instance: string, snapshot: SnapshotView): string {
	const {name, hardware, mounts, createdAt, parent, children, comment, state} = snapshot;
	const rows: ReadonlyArray<readonly [string, readonly string[]]> = [
		['Snapshot:', [name]],
		['Instance:', [instance]],
		['CPU(s):', [String(hardware.cpus)]],
		['Disk space:', [humanSize(hardware.disk)]],
		['Memory size:', [humanSize(hardware.memory)]],
		['Mounts:', mountLines(mounts)],
		['Created:', [plainLine(createdAt)]],
		['Parent:', parent === undefined ? [] : [parent]],
		['Children:', children],
		['Comment:', comment === '' ? [] : plainText(comment).split('\n')],
		// Multipass takes none of what runs.
		...(state === 'Running' ? ([['Taken:', ['while it ran: the disk as after a power cut']]] as const) : []),
	];
	return rows
		.flatMap(([key, lines]) =>
			(lines.length === 0 ? ['--'] : lines).map(
				(line, index) => `${`${(index === 0 ? key : '').padEnd(indent)}${line}`.trimEnd()}\n`,
			),
		)
		.join('');
}
