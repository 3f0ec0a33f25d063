import path from 'node:path';
import type {Engine, ImportAnswer} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {type ImportPlan, isWhole} from '../model/import-plan.ts';
import {isEnded, type OperationView} from '../model/operation.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {dataText, formatOf} from './formats.ts';
import {outcomeOf, outcomeText, planText, problemText} from './import-output.ts';
import {usageError} from './parse.ts';

/** Brings the instances of other software over. Exits with 2 when some were left where they are. */
export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [software, ...names] = args.positionals;
	const format = formatOf(args, ['table', 'json', 'yaml']);
	if (software?.toLowerCase() !== 'multipass') {
		throw usageError(
			software === undefined
				? 'Need the name of the software to import from.'
				: `Nothing can be imported from ${JSON.stringify(plainLine(software).slice(0, 40))}.`,
			'It is: drover import multipass',
		);
	}
	const as = args.value('as');
	if (as !== undefined && names.length !== 1) throw usageError('--as needs exactly one instance name.');
	const from = args.value('from');
	if (from === '') throw usageError('The option --from needs a directory.');
	const request = {
		...(from === undefined ? {} : {from: path.resolve(context.cwd, from)}),
		...(names.length === 0 ? {} : {names}),
		...(as === undefined ? {} : {as}),
		...(args.has('discard-memory') ? {discardMemory: true} : {}),
	};
	const engine = await context.engine();
	if (args.has('dry-run')) {
		const plan = await engine.importPlan(request);
		demandFound(plan, from);
		context.stdout.write(format === 'table' ? planText(plan) : await dataText(format, plan));
		context.stderr.write(problemText(plan));
		return isWhole(plan) ? 0 : 2;
	}
	const answer = await engine.importInstances({...request, by: context.user});
	demandFound(answer.plan, from);
	const ended = await end(engine, answer, context);
	const outcome = outcomeOf(answer.plan, ended);
	context.stdout.write(format === 'table' ? outcomeText(answer.plan, outcome) : await dataText(format, outcome));
	context.stderr.write(problemText(answer.plan));
	return outcome.skipped.length === 0 && answer.plan.problems.length === 0 ? 0 : 2;
}

/** A directory that was named must have something; that there is none in the usual places is an answer. */
function demandFound({directory, problems}: ImportPlan, from: string | undefined): void {
	if (from === undefined || directory !== undefined || problems.length > 0) return;
	throw usageError(
		`There is no data of Multipass in ${plainLine(from)}.`,
		'Name its data directory: the one that has multipassd-vm-instances.json or vault in it.',
	);
}

/** Follows the work to its end; what failed is told with the rest, and does not hide it. */
async function end(
	engine: Engine,
	{operation}: ImportAnswer,
	context: CommandContext,
): Promise<OperationView | undefined> {
	if (operation === undefined) return undefined;
	try {
		return await follow(context, engine, async () => operation);
	} catch (error) {
		if (!(error instanceof DroverError) || error.code.startsWith('daemon.')) throw error;
		const ended = await engine.operation({id: operation.id});
		if (!isEnded(ended)) throw error;
		return ended;
	}
}
