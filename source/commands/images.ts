import type {ImageReport, PruneReport, StoredImage} from '../model/image-info.ts';
import {humanSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {compactTable, dataText, formatOf} from './formats.ts';
import {atMost, usageError} from './parse.ts';
import {timeText} from './time-text.ts';

const actions = ['list', 'prune', 'size'] as const;

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 1);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const [word = 'list'] = args.positionals;
	const action = actions.find(candidate => candidate === word);
	if (action === undefined) {
		throw usageError(`Unknown action ${JSON.stringify(plainLine(word).slice(0, 40))}.`, 'Use list, prune or size.');
	}
	if (args.has('all') && action !== 'prune') throw usageError('The option --all is of use with prune only.');
	const engine = await context.engine();
	if (action === 'prune') {
		const report = await engine.pruneImages({all: args.has('all'), by: context.user});
		context.stdout.write(format === 'table' ? pruneText(report) : await dataText(format, pruneData(report)));
		return 0;
	}
	const report = await engine.images();
	if (format !== 'table') context.stdout.write(await dataText(format, reportData(report)));
	else context.stdout.write(action === 'size' ? sizeText(report) : listText(report));
	return 0;
}

function listText(report: ImageReport): string {
	if (report.images.length === 0) return 'No images found.\n';
	const rows = report.images.map(image => [
		plainLine(image.name),
		shortHash(image),
		plainLine(image.format),
		humanSize(image.size),
		timeText(Date.parse(image.usedAt)),
		image.instances === undefined ? '--' : String(image.instances),
		plainLine(image.source),
	]);
	return compactTable([['Image', 'Hash', 'Format', 'Size', 'Last used', 'Instances', 'Source'], ...rows]);
}

function sizeText({size, directory, images}: ImageReport): string {
	const count = images.length === 1 ? '1 image' : `${images.length} images`;
	return `${humanSize(size)} in ${plainLine(directory)} (${count})\n`;
}

function pruneText({removed, kept, freed}: PruneReport): string {
	const lines = [
		...removed.map(image => `Removed ${title(image)}, ${humanSize(image.size)}.`),
		...kept.map(({image, reason}) => `Kept ${title(image)}: ${plainLine(reason)}.`),
		removed.length === 0 ? 'Nothing was removed.' : `${humanSize(freed)} freed.`,
	];
	return `${lines.join('\n')}\n`;
}

function title(image: StoredImage): string {
	return `${plainLine(image.name)} (${shortHash(image)})`;
}

/** As `info` shows it. */
function shortHash({hash}: StoredImage): string {
	return plainLine(hash)
		.replace(/^sha256:/, '')
		.slice(0, 12);
}

function reportData({images, size, directory}: ImageReport) {
	return {directory: plainLine(directory), size, images: images.map(entry)};
}

function pruneData({removed, kept, freed}: PruneReport) {
	return {
		freed,
		removed: removed.map(entry),
		kept: kept.map(({image, reason}) => ({...entry(image), reason: plainLine(reason)})),
	};
}

function entry({name, hash, format, size, usedAt, source, instances}: StoredImage) {
	return {
		name: plainLine(name),
		hash: plainLine(hash).replace(/^sha256:/, ''),
		format: plainLine(format),
		size,
		last_used: plainLine(usedAt),
		...(instances === undefined ? {} : {instances}),
		source: plainLine(source),
	};
}
