import type {LaunchRequest} from '../engine/engine.ts';
import {plainLine} from '../model/text.ts';
import type {CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {primaryName} from './targets.ts';

/** What is launched when no image is named: it needs no catalogue, hence no internet. */
const defaultImage = 'micro';

/** Launches and follows; says which image was chosen, and at the end the name. */
export async function followLaunch(
	request: LaunchRequest,
	timeout: number | undefined,
	context: CommandContext,
): Promise<void> {
	const engine = await context.engine();
	const begin = async () => {
		const operation = await engine.launch({...request, image: request.image ?? defaultImage});
		// Said only now: a launch that is refused has used no image.
		if (request.image === undefined) context.stdout.write(`No image was named: launching ${defaultImage}.\n`);
		return operation;
	};
	const ended = await follow(context, engine, begin, {
		timeout,
		timeoutText: 'Timed out waiting for instance launch.',
		isTalkative: true,
	});
	const name = ended.items[0]?.target ?? request.name ?? '';
	context.stdout.write(`Launched: ${plainLine(name)}\n`);
	for (const {source, target} of request.mounts ?? []) {
		const where = target === '' ? '' : `:${target}`;
		context.stdout.write(`Mounted '${plainLine(source)}' into '${plainLine(`${name}${where}`)}'\n`);
	}
	if (name === (await primaryName(engine))) {
		const {mountHome} = await import('./home-mount.ts');
		await mountHome(name, engine, context);
	}
}
