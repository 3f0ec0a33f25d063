import {driverTitles} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import type {MovePlan} from '../model/move-plan.ts';
import {formatSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {type CommandArguments, type CommandContext, EarlyExit} from './command.ts';
import {follow} from './follow.ts';
import {dataText, formatOf, wrap} from './formats.ts';
import {oneName, usageError} from './parse.ts';
import {askYesNo, isLive} from './question.ts';
import {driverOf} from './switch.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const name = oneName(args);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	if (args.has('format') && !args.has('dry-run')) throw usageError('--format is for --dry-run.');
	const given = args.value('to');
	if (given === undefined)
		throw usageError('Need the driver to move it to: --to <driver>.', '"drover drivers" lists them.');
	const to = driverOf(given);
	const engine = await context.engine();
	const plan = await engine.movePlan({name, to});
	if (args.has('dry-run')) {
		context.stdout.write(format === 'table' ? planText(plan) : await dataText(format, plan));
		return plan.problems.length === 0 ? 0 : 2;
	}
	const [problem] = plan.problems;
	if (problem !== undefined) throw DroverError.from(problem);
	if (plan.isRunning && !args.has('stop')) {
		throw new DroverError('instance.state', `instance "${name}" runs, and only what is stopped can be moved`, {
			next: 'Stop it first, or use --stop.',
		});
	}
	if (plan.losses.length > 0 && !args.has('yes')) await agree(plan, context);
	await follow(context, engine, () =>
		engine.move({
			name,
			to,
			by: context.user,
			...(args.has('stop') ? {stop: true} : {}),
			...(args.has('purge') ? {purge: true} : {}),
		}),
	);
	return 0;
}

/** What a move would do, for reading. */
function planText(plan: MovePlan): string {
	const say = (text: string) => wrap(plainLine(text), 79);
	const kind = plan.becomes === 'container' ? 'a container' : 'a virtual machine';
	return [
		`Move ${plainLine(plan.name)} from ${driverTitles[plan.from]} to ${driverTitles[plan.to]}, as ${kind}; nothing has been changed yet.`,
		...(plan.isRunning ? say('It runs, and is stopped first (--stop).') : []),
		...plan.losses.flatMap(say),
		`Needs up to ${formatSize(plan.needsBytes)} of disk (${formatSize(plan.freeBytes)} free). If anything fails, the original is as it was.`,
		...plan.problems.flatMap(({message, next}) => say(`Problem: ${message} ${next ?? ''}`)),
		'',
	].join('\n');
}

async function agree(plan: MovePlan, context: CommandContext): Promise<void> {
	if (!isLive(context)) {
		throw usageError(
			`${plan.losses.join(' ')} There is no terminal to ask on.`,
			'Use --yes when that is wanted; --dry-run shows what would be done.',
		);
	}
	context.stdout.write(planText(plan));
	if (!(await askYesNo(`Move it to ${driverTitles[plan.to]}? (Yes/no)`, context))) {
		throw new EarlyExit(2, 'Nothing was changed.');
	}
}
