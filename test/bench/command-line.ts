import process from 'node:process';
import {type Figure, limited, median, milliseconds} from './figures.ts';
import {launcher, Place, program} from './place.ts';
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
		launched: () => timeRun(launcher, ['list'], place.env),
	});
	const [bare, own, launched] = [median(times.bare), median(times.ours), median(times.launched)];
	return [
		limited(
			'list of 100 running instances against bare Node',
			own / bare,
			2,
			'x',
			`${milliseconds(own)} (by bin/drover ${milliseconds(launched)}), bare ${milliseconds(bare)}; medians of 20 in turn`,
		),
	];
}
