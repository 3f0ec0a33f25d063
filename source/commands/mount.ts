import {defaultMountType} from '../engine/availability.ts';
import {type IdMap, type Mount, parseIdMap} from '../model/mount.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {eachInTurn} from './each.ts';
import {follow} from './follow.ts';
import {instanceAndPath, mountSource, mountTypeOf} from './mount-spec.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [given, ...targets] = args.positionals;
	if (given === undefined || targets.length === 0) {
		throw usageError('Not enough arguments given.', 'drover mount <source> <name>[:<path>]');
	}
	const type = mountTypeOf(args.value('type'));
	const uidMap = mapsOf(args.values('uid-map'), 'UID');
	const gidMap = mapsOf(args.values('gid-map'), 'GID');
	const wanted = targets.map(instanceAndPath);
	const source = await mountSource(given, context);
	const engine = await context.engine();
	const inForce = type ?? defaultMountType((await engine.overview()).driver);
	await eachInTurn(wanted, async ({name, path}) => {
		const mount: Mount = {source, target: path ?? '', type: inForce, uidMap, gidMap};
		await follow(context, engine, () => engine.mount({name, mount, by: context.user}));
	});
	return 0;
}

function mapsOf(texts: readonly string[], what: 'UID' | 'GID'): readonly IdMap[] {
	return texts.map(text => {
		const map = parseIdMap(text);
		if (map !== undefined) return map;
		throw usageError(
			`Invalid ${what} map given: ${JSON.stringify(plainLine(text).slice(0, 40))}.`,
			'Write it as <host>:<instance>, for example 1000:1000.',
		);
	});
}
