import type {Engine} from '../engine/engine.ts';
import {type DriverName, driverNames, driverTitles, parseDriverName} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {type CommandArguments, type CommandContext, EarlyExit} from './command.ts';
import {follow} from './follow.ts';
import {dataText, formatOf} from './formats.ts';
import {usageError} from './parse.ts';
import {planText, storyText} from './switch-output.ts';

/** The switch was made, and some instances stay parked with their reasons. */
export const partlyExit = 6;

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const [given, ...more] = args.positionals;
	if (args.has('last')) {
		if (given !== undefined || args.has('dry-run')) throw usageError('--last takes no driver and no --dry-run.');
		return last(format, context);
	}
	if (given === undefined || more.length > 0) {
		throw usageError(
			'Need exactly one driver to switch to.',
			'"drover drivers" lists them; "drover switch --last" tells the last switch.',
		);
	}
	const to = driverOf(given);
	const engine = await context.engine();
	const plan = await engine.switchPlan({to});
	if (args.has('dry-run')) {
		context.stdout.write(format === 'table' ? planText(plan) : await dataText(format, plan));
		return plan.problems.length === 0 ? 0 : 2;
	}
	const [problem] = plan.problems;
	if (problem) throw DroverError.from(problem);
	const force = args.values('force');
	const stranger = force.find(name => !plan.park.some(line => line.name === name && line.method !== 'leave'));
	if (stranger !== undefined) {
		throw usageError(`--force ${plainLine(stranger)}: no running instance of that name is parked by this switch.`);
	}
	if (plan.losesMemory.length > 0 && !args.has('yes')) {
		context.stdout.write(planText(plan));
		await agree(to, context);
	}
	return switchAndTell(engine, {to, by: context.user, force}, context);
}

/** Switches, follows it, and tells what became of it: 0 all as planned, 6 partly; what stays on the old driver throws. */
export async function switchAndTell(
	engine: Engine,
	request: {to: DriverName; by: string; force?: readonly string[]},
	context: CommandContext,
): Promise<number> {
	await follow(context, engine, () => engine.switchDriver(request));
	const story = await engine.switchStory();
	if (story?.outcome !== 'partly') return 0;
	const failed = story.restore.filter(line => line.result === 'failed');
	context.stderr.write(
		`Switched to ${driverTitles[request.to]}, but not all could be brought back:\n${failed
			.map(line => `  ${line.name}: ${plainLine(line.error?.message ?? 'no reason was given')}`)
			.join('\n')}\nThey stay parked; "drover start NAME" tries again.\n`,
	);
	return partlyExit;
}

/** @throws DroverError `usage.invalid` */
export function driverOf(text: string): DriverName {
	const to = parseDriverName(text);
	if (to !== undefined) return to;
	throw usageError(
		`There is no driver ${JSON.stringify(plainLine(text).slice(0, 40))}.`,
		`The drivers are ${driverNames.join(', ')}.`,
	);
}

async function last(format: 'table' | 'json' | 'yaml', context: CommandContext): Promise<number> {
	const engine = await context.engine();
	const story = await engine.switchStory();
	if (story === undefined) {
		context.stdout.write(format === 'table' ? 'There was no switch yet.\n' : await dataText(format, {}));
		return 0;
	}
	context.stdout.write(format === 'table' ? storyText(story) : await dataText(format, story));
	return 0;
}

async function agree(to: DriverName, context: CommandContext): Promise<void> {
	if (!context.stdin.isTTY || !context.stdout.isTTY) {
		throw usageError(
			'Running instances would lose their memory, and there is no terminal to ask on.',
			'Use --yes when that is wanted.',
		);
	}
	context.stdout.write(`Type ${to} to go on: `);
	if ((await context.stdin.readLine())?.trim() !== to) throw new EarlyExit(2, 'Nothing was changed.');
}
