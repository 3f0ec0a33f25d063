import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {oneName} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const name = oneName(args);
	const snapshot = args.value('name');
	const comment = args.value('comment') ?? args.value('message');
	const engine = await context.engine();
	const ended = await follow(context, engine, () =>
		engine.snapshot({
			name,
			by: context.user,
			...(snapshot === undefined ? {} : {snapshot}),
			...(comment === undefined ? {} : {comment}),
		}),
	);
	context.stdout.write(`Snapshot taken: ${plainLine(ended.items[0]?.target ?? name)}\n`);
	return 0;
}
