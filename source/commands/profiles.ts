import {DroverError} from '../model/errors.ts';
import type {Profile, Profiles} from '../model/profile.ts';
import {formatSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {compactTable, dataText, formatOf, labelled} from './formats.ts';
import {atMost, usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 2);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const [action = 'list', name] = args.positionals;
	if (action !== 'list' && action !== 'show') {
		throw usageError(`Unknown action ${JSON.stringify(plainLine(action).slice(0, 40))}.`, 'Use list or show.');
	}
	if ((action === 'show') !== (name !== undefined)) {
		throw usageError(
			action === 'show' ? 'The name of a profile is required.' : 'Too many arguments supplied.',
			'"drover profiles" lists them, "drover profiles show <name>" shows one.',
		);
	}
	const engine = await context.engine();
	const found = await engine.profiles();
	// Beside what is asked for, so that what reads the answer is not disturbed.
	for (const problem of found.problems) context.stderr.write(`${plainLine(problem)}\n`);
	const chosen = name === undefined ? found.profiles : [one(found, name)];
	if (format !== 'table') {
		context.stdout.write(
			await dataText(format, name === undefined ? {profiles: chosen.map(entry)} : entry(chosen[0]!)),
		);
	} else context.stdout.write(name === undefined ? listText(found) : showText(chosen[0]!));
	return found.problems.length > 0 && name === undefined ? 2 : 0;
}

/** @throws DroverError `usage.invalid` */
function one({profiles, directory}: Profiles, name: string): Profile {
	const found = profiles.find(profile => profile.name === name);
	if (found) return found;
	throw new DroverError('usage.invalid', `There is no profile ${JSON.stringify(plainLine(name).slice(0, 80))}.`, {
		next: `Profiles are in profiles.yaml in ${plainLine(directory)}.`,
	});
}

function listText({profiles, directory}: Profiles): string {
	if (profiles.length === 0)
		return `No profiles found. They are written into profiles.yaml in ${plainLine(directory)}.\n`;
	const rows = profiles.map(profile => {
		const {image = '--', cpus = '--', memory, disk, description} = plain(profile);
		return [profile.name, image, String(cpus), sizeText(memory), sizeText(disk), cloudInitText(profile), description];
	});
	return compactTable([['Name', 'Image', 'CPUs', 'Memory', 'Disk', 'Cloud-init', 'Description'], ...rows]);
}

const sizeText = (bytes: number | undefined) => (bytes === undefined ? '--' : formatSize(bytes));

function cloudInitText({cloudInit}: Profile): string {
	return cloudInit === undefined ? '--' : cloudInit === '' ? 'in the profile' : plainLine(cloudInit);
}

function showText(profile: Profile): string {
	const {name, description, image, cpus, memory, disk, mounts, networks, bridged, target, timeout} = plain(profile);
	const rows: ReadonlyArray<readonly [label: string, text: string | undefined]> = [
		['Name', name],
		['Description', description || undefined],
		['Image', image],
		['CPUs', cpus === undefined ? undefined : String(cpus)],
		['Memory', memory === undefined ? undefined : formatSize(memory)],
		['Disk', disk === undefined ? undefined : formatSize(disk)],
		['Cloud-init', profile.cloudInit === undefined ? undefined : cloudInitText(profile)],
		...mounts.map((text, at) => [at === 0 ? 'Mounts' : '', text] as const),
		...networks.map((text, at) => [at === 0 ? 'Networks' : '', text] as const),
		['Bridged', bridged === undefined ? undefined : bridged ? 'yes' : 'no'],
		['Member', target],
		['Timeout', timeout === undefined ? undefined : `${timeout} s`],
	];
	const lines = rows.flatMap(([label, text]) =>
		text === undefined ? [] : [labelled(label === '' ? '' : `${label}:`, text, 16)],
	);
	return `${lines.join('\n')}\n`;
}

/** It is the user's own, but from a file that anything may have written. */
function plain(profile: Profile): Profile {
	return {
		...profile,
		name: plainLine(profile.name),
		description: plainLine(profile.description),
		...(profile.image === undefined ? {} : {image: plainLine(profile.image)}),
		...(profile.target === undefined ? {} : {target: plainLine(profile.target)}),
		mounts: profile.mounts.map(plainLine),
		networks: profile.networks.map(plainLine),
	};
}

/** With the keys that stand in the file. */
function entry(profile: Profile) {
	const {cloudInit, ...rest} = plain(profile);
	return {...rest, ...(cloudInit === undefined ? {} : {'cloud-init': cloudInit === '' ? true : plainLine(cloudInit)})};
}
