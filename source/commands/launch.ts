import type {LaunchRequest} from '../engine/engine.ts';
import type {Mount} from '../model/mount.ts';
import {parseNetworkSpec} from '../model/network-spec.ts';
import {templateName} from '../model/profile.ts';
import {parseSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {thisSystem} from '../platform/system.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {followLaunch} from './launch-follow.ts';
import {answerTimeout, atMost, timeoutOf, usageError, wholeNumber} from './parse.ts';

/** What can be told wrong without anyone's help is, before the daemon is asked. */
export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 1);
	const [image] = args.positionals;
	if (image !== undefined) checkImage(image);
	const name = args.value('name');
	const cpus = cpusOf(args.value('cpus'));
	const memory = sizeOf(args.value('memory') ?? args.value('mem'), 'memory');
	const disk = sizeOf(args.value('disk'), 'disk');
	const timeout = timeoutOf(args);
	const networks = args.values('network');
	for (const spec of networks) parseNetworkSpec(spec);
	const cloudInit = await cloudInitOf(args.value('cloud-init'), context);
	const profile = args.value('profile');
	if (profile === '') throw usageError('The option --profile needs the name of a profile.');
	const target = args.value('target');
	if (target === '') throw usageError('The option --target needs the name of a member.');
	const mounts = await mountsOf(args.values('mount'), args.value('type'), context);
	const request: LaunchRequest = {
		by: context.user,
		...(image === undefined ? {} : {image}),
		...(name === undefined ? {} : {name}),
		...(cpus === undefined ? {} : {cpus}),
		...(memory === undefined ? {} : {memory}),
		...(disk === undefined ? {} : {disk}),
		...cloudInit,
		...(profile === undefined ? {} : {profile}),
		...(networks.length === 0 ? {} : {networks}),
		...(args.has('bridged') ? {bridged: true} : {}),
		...(mounts.length === 0 ? {} : {mounts}),
		...(target === undefined ? {} : {target}),
		...answerTimeout(timeout),
	};
	await followLaunch(request, timeout, context);
	return 0;
}

/** Its text, read here; a template is the engine's to find. */
async function cloudInitOf(
	source: string | undefined,
	context: CommandContext,
): Promise<Pick<LaunchRequest, 'cloudInit' | 'template'>> {
	if (source === undefined) return {};
	const template = templateName(source);
	if (template !== undefined) return {template};
	const {readCloudInit} = await import('./cloud-init.ts');
	return {cloudInit: await readCloudInit(source, context)};
}

/** `remote:image` has one colon; addresses are the engine's to judge. */
function checkImage(image: string): void {
	if (!image.includes('://') && image.split(':').length > 2) {
		throw usageError(`Invalid remote or image: ${JSON.stringify(plainLine(image).slice(0, 100))}.`);
	}
}

function cpusOf(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	const cpus = wholeNumber(text);
	if (cpus === undefined || cpus < 1) {
		throw usageError(`Invalid CPU count ${JSON.stringify(text)}: it must be a positive whole number.`);
	}
	return cpus;
}

function sizeOf(text: string | undefined, what: string): number | undefined {
	if (text === undefined) return undefined;
	const bytes = parseSize(text);
	if (bytes === undefined) {
		throw usageError(`${JSON.stringify(text)} is not a valid ${what} size.`, 'Write it like 512M, 1.5G or 1073741824.');
	}
	return bytes;
}

/** Directories to mount, in the way that is asked for, else in the usual one of the current driver. */
async function mountsOf(
	texts: readonly string[],
	how: string | undefined,
	context: CommandContext,
): Promise<readonly Mount[]> {
	if (texts.length === 0 && how === undefined) return [];
	const {mountSource, mountTypeOf} = await import('./mount-spec.ts');
	const {splitMount} = await import('../platform/home.ts');
	const asked = mountTypeOf(how);
	if (texts.length === 0) throw usageError('The option --type says how --mount mounts, and there is no --mount.');
	const {defaultMountType} = await import('../engine/availability.ts');
	const found: Array<Pick<Mount, 'source' | 'target'>> = [];
	for (const text of texts) {
		const {source, target = ''} = splitMount(text, thisSystem().platform);
		found.push({source: await mountSource(source, context), target});
	}
	const type = asked ?? defaultMountType((await (await context.engine()).overview()).driver);
	return found.map(each => ({...each, type, uidMap: [], gidMap: []}));
}
