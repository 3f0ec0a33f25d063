import process from 'node:process';
import {type Figure, limited, median, milliseconds} from './figures.ts';
import {isReplaced, launcher, Place, program} from './place.ts';
import {interleave, timeRun} from './process-facts.ts';

/** `list` of 100 running instances, from the start of the program to the end of its output. */
export async function list(): Promise<Figure[]> {
	await using place = new Place();
	await place.serveFakes(100);
	const ours = () => timeRun(process.execPath, [program, 'list'], place.env);
	await ours();
	await ours();
	const times = await interleave(20, {
		bare: () => timeRun(process.execPath, ['-e', '0'], place.env),
		ours,
		launched: () => (isReplaced ? Promise.resolve(0) : timeRun(launcher, ['list'], place.env)),
	});
	const [bare, own] = [median(times.bare), median(times.ours)];
	// The launcher runs the program in its place, not one that is measured instead.
	const launched = isReplaced ? '' : ` (by bin/drover ${milliseconds(median(times.launched))})`;
	return [
		limited(
			'list of 100 running instances against bare Node',
			own / bare,
			2,
			'x',
			`${milliseconds(own)}${launched}, bare ${milliseconds(bare)}; medians of 20 in turn`,
		),
	];
}
