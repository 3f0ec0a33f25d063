import {defaultMountType} from '../engine/availability.ts';
import type {Engine} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {homeOf, thisSystem} from '../platform/system.ts';
import type {CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {mountSource} from './mount-spec.ts';

/** Where the primary instance has the home directory of who launched it, below the home of its own user. */
const target = 'Home';

/** Gives the primary instance, which was just launched, the user's home directory; says so, or why not. Never throws. */
export async function mountHome(name: string, engine: Engine, context: CommandContext): Promise<void> {
	const skipped = (why: string) =>
		context.stdout.write(`Your home directory was not mounted: ${plainLine(why).replace(/\.$/, '')}.\n`);
	const {driver, settings} = await engine.overview();
	if (settings['local.privileged-mounts'] === 'false') {
		skipped('the setting local.privileged-mounts is false');
		return;
	}
	try {
		const source = await mountSource(homeOf(thisSystem().platform, context.env), context);
		await follow(context, engine, () =>
			engine.mount({
				name,
				mount: {source, target, type: defaultMountType(driver), uidMap: [], gidMap: []},
				by: context.user,
			}),
		);
		context.stdout.write(`Mounted '${plainLine(source)}' into '${plainLine(name)}:${target}'\n`);
	} catch (error) {
		// The instance is there and runs, which is what was asked for.
		if (!(error instanceof DroverError)) throw error;
		skipped(error.message);
	}
}
