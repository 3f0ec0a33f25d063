import type {CommandArguments, CommandContext} from './command.ts';
import {answerTimeout, namesOrAll, timeoutOf} from './parse.ts';
import {launchPrimary} from './primary.ts';
import {act, namesOrPrimary, primaryName} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const {names, all} = namesOrAll(args);
	const timeout = timeoutOf(args);
	const engine = await context.engine();
	let targets = all ? [] : await namesOrPrimary(names, engine);
	if (!all) {
		const primary = names.length > 0 ? await primaryName(engine) : targets[0]!;
		const isThere = (name: string, instances: ReadonlyArray<{name: string}>) =>
			instances.some(instance => instance.name === name);
		const instances = targets.includes(primary) ? await engine.list() : [];
		// Only when nothing else is wrong: a request that will be refused launches nothing.
		const isOnlyMissing = targets.every(name => name === primary || isThere(name, instances));
		if (targets.includes(primary) && isOnlyMissing && !isThere(primary, instances)) {
			await launchPrimary(primary, timeout, context);
			targets = targets.filter(name => name !== primary);
			if (targets.length === 0) return 0;
		}
	}
	const options = {...answerTimeout(timeout), ...(args.has('discard-memory') ? {discardMemory: true} : {})};
	return act(targets, all, {action: 'start', options, follow: following(timeout)}, context);
}

export function following(timeout: number | undefined) {
	return {timeout, timeoutText: 'Timed out waiting for instance to start.'};
}
