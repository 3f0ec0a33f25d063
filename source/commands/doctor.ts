import type {DoctorReport} from '../engine/engine.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {driverEntry} from './driver-output.ts';
import {dataText, formatOf, labelled} from './formats.ts';
import {atMost} from './parse.ts';

const verdicts = {ok: 'ok', warning: 'warning', problem: 'PROBLEM'} as const;

/** Always looks anew. @returns 0, or 2 when something is wrong that keeps drover from working */
export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 0);
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const engine = await context.engine();
	const report = await engine.doctor({again: true});
	context.stdout.write(format === 'table' ? doctorTable(report) : await dataText(format, reportData(report)));
	return report.checks.some(check => check.verdict === 'problem') ? 2 : 0;
}

function reportData({checks, drivers, tookMs}: DoctorReport) {
	return {
		checks: checks.map(({title, verdict, text, remedy}) => ({
			title: plainLine(title),
			verdict,
			text: plainLine(text),
			...(remedy === undefined ? {} : {remedy: plainLine(remedy)}),
		})),
		drivers: drivers.map(driverEntry),
		took_ms: tookMs,
	};
}

const indent = 11;

function doctorTable({checks, drivers, tookMs}: DoctorReport): string {
	const lines = checks.flatMap(({title, verdict, text, remedy}) => [
		labelled(`[${verdicts[verdict]}]`, `${title}: ${text}`, indent),
		...(remedy === undefined ? [] : [labelled('', remedy, indent)]),
	]);
	const current = drivers.find(driver => driver.current);
	const problems = checks.filter(check => check.verdict === 'problem').length;
	const end =
		problems > 0
			? `${problems} ${problems === 1 ? 'problem' : 'problems'} found`
			: `Ready to run instances${current === undefined ? '' : ` with ${current.name}`}`;
	return `${[...lines, '', `${end} (${tookMs} ms).`].join('\n')}\n`;
}
