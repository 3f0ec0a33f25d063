import {forwardText} from '../model/forward.ts';
import {type InstanceDetail, linkedText} from '../model/instance.ts';
import type {PrivatePlace} from '../model/private-network.ts';
import {humanSize} from '../model/sizes.ts';
import {isUp} from '../model/state.ts';
import {plainLine} from '../model/text.ts';
import {csvLine, wrap} from './formats.ts';
import {forwardData} from './forward-data.ts';
import {imageTitle} from './image-title.ts';
import {mountEntries, mountField, mountLines} from './mount-output.ts';

/** What the formats share: texts made safe, and nothing where nothing is known. */
function facts(detail: InstanceDetail) {
	const {guest} = detail;
	const disks = Object.entries(guest?.disks ?? {}).map(([name, use]) => ({name: plainLine(name), ...use}));
	return {
		ipv4: detail.ipv4.map(plainLine),
		hash: plainLine(detail.image.hash).replace(/^sha256:/, ''),
		imageRelease: plainLine(detail.image.release),
		release: plainLine(guest?.release ?? ''),
		cpus: isUp(detail.state) ? String(guest?.cpus ?? detail.cpus) : '',
		load: guest?.load ?? [],
		disks,
		memory: guest?.memory,
		mounts: detail.mounts ?? [],
		// Unknown where they cannot be read; a note says so then.
		snapshots: detail.snapshotCount === undefined ? '' : String(detail.snapshotCount),
	};
}

/** `{"errors": [], "info": {…}}` with Multipass's keys and types: texts for processors and disks, numbers for memory. */
export function infoData(details: readonly InstanceDetail[], hasSnapshots: boolean) {
	return {errors: [], info: Object.fromEntries(details.map(detail => [detail.name, entry(detail, hasSnapshots)]))};
}

function entry(detail: InstanceDetail, hasSnapshots: boolean) {
	const {ipv4, hash, imageRelease, release, cpus, load, disks, memory, mounts, snapshots} = facts(detail);
	return {
		state: detail.state,
		image_hash: hash,
		image_release: imageRelease,
		release,
		cpu_count: cpus,
		...(hasSnapshots ? {snapshot_count: snapshots} : {}),
		load,
		disks:
			disks.length === 0
				? {sda1: {}}
				: Object.fromEntries(disks.map(({name, used, total}) => [name, {used: String(used), total: String(total)}])),
		memory: memory === undefined ? {} : {used: memory.used, total: memory.total},
		ipv4,
		mounts: mountEntries(mounts),
		...own(detail),
	};
}

/** What Multipass has no word for; absent where there is nothing to say. */
function own(detail: InstanceDetail) {
	return {
		...(detail.reason === undefined ? {} : {reason: plainLine(detail.reason)}),
		...(detail.state === 'Broken' ? {directory: detail.directory} : {}),
		...(detail.ssh === undefined ? {} : {ssh: {...detail.ssh, host: plainLine(detail.ssh.host)}}),
		...(detail.shutdownAt === undefined ? {} : {shutdown_at: plainLine(detail.shutdownAt)}),
		...(detail.kind === undefined ? {} : {type: detail.kind}),
		...(detail.member === undefined ? {} : {member: plainLine(detail.member)}),
		...(detail.nics === undefined || detail.nics.length === 0
			? {}
			: {nics: detail.nics.map(({network, mac, mode}) => ({network: plainLine(network), mac, mode}))}),
		...(detail.linked === undefined
			? {}
			: {linked: {layers: detail.linked.layers, with: detail.linked.with.map(plainLine)}}),
		...(detail.privateNetwork === undefined ? {} : {private_network: privateData(detail.privateNetwork)}),
		...(detail.forwards === undefined ? {} : {forwards: detail.forwards.map(forwardData)}),
		...(detail.notes === undefined || detail.notes.length === 0 ? {} : {notes: detail.notes.map(plainLine)}),
	};
}

function privateData({address, prefix, mac, name, problem}: PrivatePlace) {
	return {
		ipv4: address,
		prefix,
		mac,
		name: plainLine(name),
		...(problem === undefined ? {} : {problem: plainLine(problem)}),
	};
}

/** As JSON, but with the other key names and places that YAML has in Multipass. */
export function infoYamlData(details: readonly InstanceDetail[], hasSnapshots: boolean) {
	return {
		errors: [null],
		...Object.fromEntries(details.map(detail => [detail.name, [yamlEntry(detail, hasSnapshots)]])),
	};
}

function yamlEntry(detail: InstanceDetail, hasSnapshots: boolean) {
	const {ipv4, hash, imageRelease, release, cpus, load, disks, memory, mounts, snapshots} = facts(detail);
	return {
		state: detail.state,
		...(hasSnapshots ? {snapshot_count: snapshots === '' ? null : Number(snapshots)} : {}),
		image_hash: hash,
		image_release: imageRelease || null,
		release: release || null,
		cpu_count: cpus === '' ? null : Number(cpus),
		...(load.length === 0 ? {} : {load}),
		disks:
			disks.length === 0
				? [{sda1: {used: null, total: null}}]
				: disks.map(({name, used, total}) => ({[name]: {used, total}})),
		memory: {usage: memory?.used ?? null, total: memory?.total ?? null},
		ipv4,
		mounts: mounts.length === 0 ? null : mountEntries(mounts),
		...own(detail),
	};
}

export function infoCsv(details: readonly InstanceDetail[], hasSnapshots: boolean): string {
	const head =
		'Name,State,Ipv4,Ipv6,Release,Image hash,Image release,Load,Disk usage,Disk total,Memory usage,Memory total,Mounts,AllIPv4,CPU(s)';
	const lines = details.map(detail => {
		const {ipv4, hash, imageRelease, release, cpus, load, disks, memory, mounts, snapshots} = facts(detail);
		return csvLine([
			detail.name,
			detail.state,
			ipv4[0] ?? '',
			'',
			release,
			hash,
			imageRelease,
			loadText(load),
			disks[0] === undefined ? '' : String(disks[0].used),
			disks[0] === undefined ? '' : String(disks[0].total),
			memory === undefined ? '' : String(memory.used),
			memory === undefined ? '' : String(memory.total),
			mountField(mounts),
			ipv4.join(';'),
			cpus,
			...(hasSnapshots ? [snapshots] : []),
		]);
	});
	return `${head}${hasSnapshots ? ',Snapshots' : ''}\n${lines.join('')}`;
}

const indent = 16;

/** One block an instance: keys in 16 columns, `--` for what is not known. */
export function infoTable(details: readonly InstanceDetail[], hasSnapshots: boolean): string {
	if (details.length === 0) return 'No instances found.\n';
	return details.map(detail => block(detail, hasSnapshots)).join('\n');
}

function block(detail: InstanceDetail, hasSnapshots: boolean): string {
	const {ipv4, hash, release, cpus, load, disks, memory, mounts, snapshots} = facts(detail);
	const use = ({used, total}: {used: number; total: number}) => `${humanSize(used)} out of ${humanSize(total)}`;
	const title = imageTitle(detail.image);
	const sentences: Array<readonly [string, string | undefined]> = [
		['Reason:', detail.reason],
		['Stops at:', detail.shutdownAt],
		['Guest:', detail.guestError?.message],
		['Directory:', detail.state === 'Broken' ? detail.directory : undefined],
		...(detail.mounts ?? []).flatMap(({target, problem}) =>
			problem === undefined ? [] : [['Mount:', `${target}: ${problem}`] as const],
		),
		['Network:', detail.privateNetwork?.problem],
		...(detail.notes ?? []).map(note => ['Note:', note] as const),
	];
	const rows: Array<readonly [string, readonly string[]]> = [
		['Name:', [detail.name]],
		['State:', [detail.state]],
		...present('Type:', detail.kind === undefined ? [] : [detail.kind]),
		...present('Member:', detail.member === undefined ? [] : [plainLine(detail.member)]),
		...(hasSnapshots ? [['Snapshots:', snapshots === '' ? [] : [snapshots]] as const] : []),
		['IPv4:', ipv4],
		...present(
			'Private IPv4:',
			detail.privateNetwork === undefined
				? []
				: [plainLine(`${detail.privateNetwork.address} (${detail.privateNetwork.name})`)],
		),
		['Release:', release === '' ? [] : [release]],
		['Image hash:', hash === '' ? [] : [`${hash.slice(0, 12)}${title === '' ? '' : ` (${title})`}`]],
		['CPU(s):', cpus === '' ? [] : [cpus]],
		['Load:', load.length === 0 ? [] : [loadText(load)]],
		['Disk usage:', disks.map(disk => (disks.length > 1 ? `${use(disk)} (${disk.name})` : use(disk)))],
		['Memory usage:', memory === undefined ? [] : [use(memory)]],
		['Mounts:', mountLines(mounts)],
		...present('Linked:', detail.linked === undefined ? [] : wrap(plainLine(linkedText(detail.linked)), 80 - indent)),
		...present(
			'Networks:',
			(detail.nics ?? []).map(({network, mac, mode}) => `${plainLine(network)} (${mac}, ${mode})`),
		),
		...present('Forwards:', (detail.forwards ?? []).map(forwardText)),
		...present(
			'SSH:',
			detail.ssh === undefined ? [] : [plainLine(`${detail.ssh.user}@${detail.ssh.host} port ${detail.ssh.port}`)],
		),
		...sentences.flatMap(([key, text]) =>
			text === undefined ? [] : [[key, wrap(plainLine(text), 80 - indent)] as const],
		),
	];
	return rows
		.flatMap(([key, lines]) =>
			(lines.length === 0 ? ['--'] : lines).map((line, index) => `${(index === 0 ? key : '').padEnd(indent)}${line}\n`),
		)
		.join('');
}

/** A row that Multipass does not have is there only where it says something. */
function present(key: string, lines: readonly string[]): ReadonlyArray<readonly [string, readonly string[]]> {
	return lines.length === 0 ? [] : [[key, lines]];
}

function loadText(load: readonly number[]): string {
	return load.map(value => value.toFixed(2)).join(' ');
}
