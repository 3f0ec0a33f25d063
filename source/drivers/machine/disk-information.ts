import {asObject} from './json.ts';
import {lastLine, run} from './programs.ts';

/** What qemu-img tells of a disk. */
export type DiskInformation = {
	/** What the guest sees of it, in bytes. */
	readonly size: number;
	/** Snapshots inside it, by what they are kept under. */
	readonly tags: readonly string[];
	/** The file it is an overlay over. */
	readonly backing?: {readonly file: string; readonly format: string};
	/** Its content is kept in another file. */
	readonly hasDataFile: boolean;
};

/**
 * Looks at a disk without changing a byte of it.
 * @returns a sentence when it cannot be read
 */
export async function diskInformation(
	imageProgram: string,
	file: string,
	format: string,
	signal?: AbortSignal,
): Promise<DiskInformation | string> {
	const result = await run(imageProgram, ['info', '--output=json', '-f', format, file], {timeoutMs: 30_000, signal});
	if (result.code !== 0) return lastLine(result.stderr) || 'qemu-img did not answer';
	return parseInformation(result.stdout);
}

/** Reads what `qemu-img info --output=json` prints. */
export function parseInformation(text: string): DiskInformation | string {
	const all = parse(text);
	const {'virtual-size': size, snapshots, 'backing-filename-format': format} = all;
	if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return 'qemu-img does not tell its size';
	const file = all['full-backing-filename'] ?? all['backing-filename'];
	const data = asObject(asObject(all['format-specific'])['data']);
	return {
		size,
		tags: (Array.isArray(snapshots) ? snapshots : []).flatMap(each => {
			const {name} = asObject(each);
			return typeof name === 'string' ? [name] : [];
		}),
		...(file === undefined ? {} : {backing: {file: String(file), format: String(format)}}),
		hasDataFile: data['data-file'] !== undefined,
	};
}

function parse(text: string): Readonly<Record<string, unknown>> {
	try {
		return asObject(JSON.parse(text));
	} catch {
		return {};
	}
}
