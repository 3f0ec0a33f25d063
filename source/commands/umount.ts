import type {CommandArguments, CommandContext} from './command.ts';
import {eachInTurn} from './each.ts';
import {follow} from './follow.ts';
import {instanceAndPath} from './mount-spec.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	if (args.positionals.length === 0) {
		throw usageError('Not enough arguments given.', 'drover umount <name>[:<path>]');
	}
	const wanted = args.positionals.map(instanceAndPath);
	const engine = await context.engine();
	await eachInTurn(wanted, async ({name, path}) => {
		await follow(context, engine, () =>
			engine.unmount({name, ...(path === undefined ? {} : {target: path}), by: context.user}),
		);
	});
	return 0;
}
