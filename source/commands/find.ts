import {DroverError} from '../model/errors.ts';
import type {ImageInfo} from '../model/image-info.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {columnWidth, csvLine, dataText, formatOf, formats, tableText} from './formats.ts';
import {atMost, usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 1);
	const format = formatOf(args, formats);
	if (args.has('only-images') && args.has('only-blueprints')) {
		throw usageError('Specify one of "--only-images", "--only-blueprints" or omit to fetch both.');
	}
	if (args.has('force-update') && args.has('only-blueprints')) {
		throw usageError('Force updating blueprints is not supported.');
	}
	const [query = ''] = args.positionals;
	if (query.split(':').length > 2) {
		throw usageError(`Invalid remote or search string: ${JSON.stringify(plainLine(query).slice(0, 100))}.`);
	}
	if (args.has('only-blueprints')) throw new DroverError('image.unknown', 'drover has no blueprints.');
	const engine = await context.engine();
	const found = await engine.find({
		query,
		...(args.has('show-unsupported') ? {showUnsupported: true} : {}),
		...(args.has('force-update') ? {forceUpdate: true} : {}),
	});
	// Beside what is asked for, so that what reads the answer is not disturbed.
	for (const note of found.notes) context.stderr.write(`${plainLine(note)}\n`);
	const images = found.images.map(plainImage);
	switch (format) {
		case 'table':
			context.stdout.write(findTable(images));
			break;
		case 'csv':
			context.stdout.write(findCsv(images));
			break;
		case 'json':
		case 'yaml':
			context.stdout.write(
				await dataText(format, {
					errors: [],
					images: Object.fromEntries(images.map(image => [fullName(image), entry(image)])),
				}),
			);
	}
	return 0;
}

/** A catalogue comes from outside. */
function plainImage(image: ImageInfo): ImageInfo {
	return {
		...image,
		name: plainLine(image.name),
		remote: plainLine(image.remote),
		aliases: image.aliases.map(plainLine),
		os: plainLine(image.os),
		release: plainLine(image.release),
		version: plainLine(image.version),
		description: plainLine(image.description),
	};
}

/** What `launch` takes: with its remote where the name alone leads to another. */
function fullName({name, remote}: ImageInfo): string {
	return remote === 'daily' ? `${remote}:${name}` : name;
}

function findTable(images: readonly ImageInfo[]): string {
	if (images.length === 0) return 'No images found.\n';
	const rows = images.map(image => [fullName(image), image.aliases.join(','), image.version, image.description]);
	const widths = [28, 18, 17].map((minimum, index) =>
		columnWidth(
			rows.map(row => row[index]!),
			minimum,
		),
	);
	return tableText([['Image', 'Aliases', 'Version', 'Description'], ...rows], widths);
}

function findCsv(images: readonly ImageInfo[]): string {
	const lines = images.map(image =>
		csvLine([
			fullName(image),
			image.remote,
			image.aliases.join(';'),
			image.os,
			image.release,
			image.version,
			'Cloud Image',
		]),
	);
	return `Image,Remote,Aliases,OS,Release,Version,Type\n${lines.join('')}`;
}

function entry({os, release, version, aliases, remote}: ImageInfo) {
	return {os, release, version, aliases, remote};
}
