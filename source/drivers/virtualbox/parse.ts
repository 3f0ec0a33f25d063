import {plainLine} from '../../model/text.ts';

const uuid = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}';

/** `7.2.22` of `7.2.22_Debianr175245`, after whatever a distribution's wrapper says first. */
export function parseVersion(text: string): string | undefined {
	return /^(\d+\.\d+\.\d+)\S*$/m.exec(text.replaceAll('\r', ''))?.[1];
}

export type ListedMachine = {readonly id: string; readonly name: string; readonly isAccessible: boolean};

/** `list vms` and `list runningvms`: a name may have quotes of its own, and lines that are none of these are passed over. */
export function parseMachines(text: string): ListedMachine[] {
	const line = new RegExp(`^"(.*)" \\{(${uuid})\\}$`);
	return linesOf(text).flatMap(each => {
		const match = line.exec(each);
		if (!match) return [];
		const [, name = '', id = ''] = match;
		return [{id, name: plainLine(name), isAccessible: name !== '<inaccessible>'}];
	});
}

/**
 * `showvminfo --machinereadable` as keys and values. The first of a key holds: what follows may be the words of a
 * snapshot, which are not escaped. Name and description are, and only the description has several lines.
 */
export function parseInfo(text: string): Map<string, string> {
	const info = new Map<string, string>();
	const lines = linesOf(text);
	for (let index = 0; index < lines.length; index++) {
		const match = /^(?:"([^"=]+)"|([^"=\s][^="]*))=(.*)$/.exec(lines[index]!);
		if (!match) continue;
		const key = match[1] ?? match[2]!;
		let value = match[3]!;
		if (value.startsWith('"')) {
			if (key === 'description') while (!endsQuoted(value) && index + 1 < lines.length) value += `\n${lines[++index]}`;
			value = value.slice(1, Math.max(1, value.lastIndexOf('"')));
			if (key === 'name' || key === 'description') value = value.replace(/\\(["\\])/g, '$1');
		}
		if (!info.has(key)) info.set(key, value);
	}
	return info;
}

function endsQuoted(value: string): boolean {
	return value.length > 1 && /(?:^|[^\\])(?:\\\\)*"$/.test(value.slice(1));
}

/** `Key:   value` in blocks with blank lines between, as most lists are. */
export function parseBlocks(text: string): Map<string, string>[] {
	const blocks: Map<string, string>[] = [];
	let block = new Map<string, string>();
	for (const line of [...linesOf(text), '']) {
		const match = /^([^:\s][^:]*):(?:\s+(.*))?$/.exec(line);
		if (match && !block.has(match[1]!)) block.set(match[1]!, (match[2] ?? '').trim());
		if (line === '' && block.size > 0) {
			blocks.push(block);
			block = new Map();
		}
	}
	return blocks;
}

export type LongState = {
	/** In VirtualBox's words. */
	readonly state: string;
	/** Milliseconds since the epoch. */
	readonly since?: number;
};

/**
 * States by id in what `list --long runningvms` prints. A description is somebody's free text and stands there as it is:
 * a machine that is told of twice is told of by nobody.
 */
export function parseLong(text: string): Map<string, LongState> {
	const found = new Map<string, LongState | undefined>();
	const [idLine, stateLine] = [
		new RegExp(`^UUID: +(${uuid})$`),
		/^State: +([a-z][a-z ()-]*?)(?: \(since ([^()]*)\))?$/,
	];
	let id: string | undefined;
	for (const line of linesOf(text)) {
		const idMatch = idLine.exec(line);
		if (idMatch) id = idMatch[1]!;
		const state = id === undefined ? null : stateLine.exec(line);
		if (!state || id === undefined) continue;
		// What VirtualBox tells has no time zone, and is UTC.
		const since = Date.parse(`${(state[2] ?? '').replace(/(\.\d{3})\d*$/, '$1')}Z`);
		const entry = {state: state[1]!, ...(Number.isNaN(since) ? {} : {since})};
		found.set(id, found.has(id) ? undefined : entry);
		id = undefined;
	}
	return new Map([...found].flatMap(([key, entry]) => (entry === undefined ? [] : [[key, entry] as const])));
}

/** The last `40%` of the progress that is written as `0%...10%...20%`. */
export function parsePercent(text: string): number | undefined {
	const percent = [...text.matchAll(/(\d{1,3})%/g)].at(-1)?.[1];
	return percent === undefined || Number(percent) > 100 ? undefined : Number(percent);
}

/** `metrics query`: values by machine's name and metric. Numbers without their units, the last one where there are several. */
export function parseMetrics(text: string): Map<string, Map<string, number>> {
	const machines = new Map<string, Map<string, number>>();
	for (const line of linesOf(text)) {
		const match =
			/^(.+?)\s+((?:CPU|RAM|Disk|Net)\/[\w/]+)\s+(?:.*,\s*)?(\d{1,16}(?:\.\d{1,6})?)(?:%| [kM]B| B\/s)?\s*$/.exec(line);
		if (!match) continue;
		const [, machine = '', metric = '', value] = match;
		const values = machines.get(machine) ?? new Map<string, number>();
		values.set(metric, Number(value));
		machines.set(machine, values);
	}
	return machines;
}

function linesOf(text: string): string[] {
	return text.split(/\r?\n/);
}
