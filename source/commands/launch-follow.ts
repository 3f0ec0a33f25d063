import type {Engine, LaunchRequest} from '../engine/engine.ts';
import type {Mount} from '../model/mount.ts';
import {formatSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {primaryName} from './targets.ts';

/** Launches and follows; says which image was chosen, and at the end the name. */
export async function followLaunch(
	request: LaunchRequest,
	timeout: number | undefined,
	context: CommandContext,
): Promise<void> {
	const engine = await context.engine();
	// A profile may name one, which is for the engine to know.
	const isUnnamed = request.image === undefined && request.profile === undefined;
	await warnOfTooMuch(request, engine, context);
	const begin = async () => {
		if (!isUnnamed) return engine.launch(request);
		const {value: image, isDefault} = await engine.get({key: 'local.default-image'});
		if (isDefault) return engine.launch(request);
		const operation = await engine.launch({...request, image});
		// Said only now: a launch that is refused has used no image.
		context.stdout.write(`No image was named: launching ${plainLine(image)}.\n`);
		return operation;
	};
	const ended = await follow(context, engine, begin, {
		timeout,
		timeoutText: 'Timed out waiting for instance launch.',
		isTalkative: true,
	});
	const name = ended.items[0]?.target ?? request.name ?? '';
	context.stdout.write(`Launched: ${plainLine(name)}\n`);
	const mounts = request.mounts ?? (request.profile === undefined ? [] : await mountsIn(name, engine));
	for (const {source, target} of mounts) {
		const where = target === '' ? '' : `:${target}`;
		context.stdout.write(`Mounted '${plainLine(source)}' into '${plainLine(`${name}${where}`)}'\n`);
	}
	if (name === (await primaryName(engine))) {
		const {mountHome} = await import('./home-mount.ts');
		await mountHome(name, engine, context);
	}
}

/** More than the host has is slow, or does not start; it is allowed, as in Multipass. */
async function warnOfTooMuch({cpus, memory}: LaunchRequest, engine: Engine, {stderr}: CommandContext): Promise<void> {
	if (cpus === undefined && memory === undefined) return;
	const {host} = await engine.overview();
	if (cpus !== undefined && cpus > host.cpus) {
		stderr.write(`Warning: ${cpus} CPUs are more than the ${host.cpus} of this host.\n`);
	}
	if (memory !== undefined && memory > host.memoryTotal) {
		stderr.write(
			`Warning: ${formatSize(memory)} of memory are more than the ${formatSize(host.memoryTotal)} of this host.\n`,
		);
	}
}

/** What its profile had mounted in it. */
async function mountsIn(name: string, engine: Engine): Promise<readonly Mount[]> {
	return (await engine.list()).find(instance => instance.name === name)?.mounts ?? [];
}
