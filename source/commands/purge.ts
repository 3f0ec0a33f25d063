import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {atMost} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const engine = await context.engine();
	const deleted = (await engine.list()).filter(instance => instance.state === 'Deleted');
	if (deleted.length === 0) return 0;
	// Those seen just now and no others: what is deleted meanwhile keeps its chance to be recovered.
	const names = deleted.map(instance => instance.name);
	await follow(context, engine, () => engine.act({action: 'purge', names, by: context.user}));
	return 0;
}
