import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {oneName} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const name = oneName(args);
	const as = args.value('name');
	const linked = args.has('linked');
	const engine = await context.engine();
	const ended = await follow(context, engine, () =>
		engine.clone({
			name,
			by: context.user,
			...(as === undefined ? {} : {as}),
			...(linked ? {linked} : {}),
		}),
	);
	context.stdout.write(`Cloned from ${name} to ${plainLine(ended.items[0]?.target ?? as ?? '')}.\n`);
	return 0;
}
