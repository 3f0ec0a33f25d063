import {mebibyte} from '../../source/model/sizes.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {type Figure, limited, median, milliseconds} from './figures.ts';
import {House} from './house.ts';

const rounds = 3;

/**
 * Switching between QEMU and libvirt with 1, 4 and 16 running machines, away and back: against a single machine's own
 * suspend and resume in the same run, and against as many machines one after another.
 */
export async function switching(): Promise<Figure[]> {
	const libvirt = await ownLibvirt();
	if (typeof libvirt === 'string') return [{what: 'switch', value: 'not measured', note: libvirt}];
	try {
		await using house = await House.open({LIBVIRT_DEFAULT_URI: libvirt.uri});
		const figures: Figure[] = [];
		let alone = 0;
		let running = 0;
		for (const count of [1, 4, 16]) {
			const names = Array.from({length: count - running}, (_, index) => `m${running + index}`);
			await house.launch(names, 128 * mebibyte);
			running = count;
			const times: number[] = [];
			const slowest: number[] = [];
			for (let round = 0; round < rounds; round++) {
				const there = await house.switchTo('libvirt');
				const [park, restore] = await slowestLines(house);
				const back = await house.switchTo('qemu');
				const [parkBack, restoreBack] = await slowestLines(house);
				times.push(there + back);
				slowest.push(park + restore + parkBack + restoreBack);
			}
			const total = median(times);
			if (count === 1) {
				alone = total;
				figures.push({
					what: 'switch away and back, 1 running',
					value: milliseconds(total),
					note: `of it in the machine itself ${milliseconds(median(slowest))}`,
				});
				continue;
			}
			const single = median(slowest);
			const what = `switch away and back, ${count} running, against the slowest of them`;
			const note = `${milliseconds(total)}, slowest suspend and resume ${milliseconds(single)}; medians of ${rounds}`;
			figures.push(
				count === 4
					? limited(what, total / single, 1.5, 'x', note)
					: {what, value: `${(total / single).toFixed(2)}x`, note},
			);
			figures.push({
				what: 'the same against 1 running alone',
				value: `${(total / alone).toFixed(2)}x`,
				note: milliseconds(alone),
			});
			figures.push({
				what: `the same against ${count} one after another`,
				value: `${(total / (count * alone)).toFixed(2)}x`,
				note: 'clearly below 1 is the aim',
			});
		}
		return figures;
	} finally {
		await libvirt.close();
	}
}

/** Milliseconds of the slowest line of each side of the last switch. */
async function slowestLines(house: House): Promise<[number, number]> {
	const story = await house.engine.switchStory();
	const slowest = (lines: ReadonlyArray<{startedAt?: number; endedAt?: number}> = []) =>
		Math.max(0, ...lines.map(line => (line.endedAt ?? 0) - (line.startedAt ?? 0)));
	return [slowest(story?.park), slowest(story?.restore)];
}
