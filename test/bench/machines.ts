import {setTimeout as sleep} from 'node:timers/promises';
import {mebibyte} from '../../source/model/sizes.ts';
import {ByHand} from './by-hand.ts';
import {type Figure, limited, median, milliseconds} from './figures.ts';
import {House} from './house.ts';
import {memoryOf, processorTime} from './process-facts.ts';

/** Memory and processor of a process that nobody asks anything, over some seconds. */
async function atRest(pid: number, seconds: number) {
	const before = processorTime(pid);
	await sleep(seconds * 1000);
	return {...memoryOf(pid), percent: (processorTime(pid) - before) / seconds / 10};
}

/** drover's suspend and resume against the same steps on the same machine without drover. */
export async function suspendAndResume(): Promise<Figure[]> {
	await using house = await House.open();
	await house.launch(['bench'], 256 * mebibyte);
	const own = {suspend: [] as number[], resume: [] as number[]};
	const rounds = 7;
	for (let round = 0; round < rounds; round++) {
		own.suspend.push(await house.act('suspend', ['bench']));
		own.resume.push(await house.act('start', ['bench']));
	}
	const [detail] = await house.engine.info({names: ['bench'], runtime: false});
	const [pid] = house.machines();
	if (!detail?.ssh || pid === undefined) throw new Error('the machine is not running');
	// QEMU hears one client on a monitor: the daemon must be gone before a hand can be at it.
	house.endDaemon();
	const hand = new ByHand(pid, detail.ssh);
	const theirs = {suspend: [] as number[], resume: [] as number[]};
	try {
		for (let round = 0; round < rounds; round++) {
			theirs.suspend.push(await hand.suspend());
			theirs.resume.push(await hand.resume());
		}
	} finally {
		hand.end();
	}
	const figure = (what: 'suspend' | 'resume', note: string) => {
		const [a, b] = [median(own[what]), median(theirs[what])];
		return limited(
			`${what} against the same steps by hand on QMP`,
			a / b,
			1.2,
			'x',
			`${milliseconds(a)}, by hand ${milliseconds(b)}; ${note}; medians of ${rounds}`,
		);
	};
	return [
		figure('suspend', '256 MiB, until QEMU has gone and the image is synced'),
		figure('resume', 'until the guest answers on SSH'),
	];
}

/** What the daemon takes while nobody asks it anything. */
export async function daemon(): Promise<Figure[]> {
	await using house = await House.open();
	const seconds = 30;
	const empty = await atRest(house.daemonPid, seconds);
	await house.launch(['bench-1', 'bench-2'], 128 * mebibyte);
	await sleep(5000);
	const busy = await atRest(house.daemonPid, seconds);
	const row = (what: string, {resident, own, percent}: typeof empty): Figure => ({
		what: `daemon at rest, ${what}`,
		value: `${Math.round(resident)} MiB, ${percent.toFixed(2)} % of a core`,
		note: `${Math.round(own)} MiB of it its own; ${seconds} s, one client connected`,
	});
	return [row('no instance', empty), row('2 running', busy)];
}

/** Forty real machines at once, or as many as DROVER_BENCH_MACHINES says. */
export async function forty(): Promise<Figure[]> {
	await using house = await House.open();
	const count = Number(process.env['DROVER_BENCH_MACHINES'] ?? 40);
	const names = Array.from({length: count}, (_, index) => `bench-${String(index + 1).padStart(2, '0')}`);
	const launched = await house.launch(names, 128 * mebibyte);
	await sleep(10_000);
	const running = (await house.engine.list()).filter(({state}) => state === 'Running').length;
	const rest = await atRest(house.daemonPid, 30);
	const before = processorTime(house.daemonPid);
	let sampled = 0;
	for (let round = 0; round < 6; round++) {
		sampled = Object.keys(await house.engine.metrics({names})).length;
		await sleep(5000);
	}
	const sampling = (processorTime(house.daemonPid) - before) / 30 / 10 - rest.percent;
	const times: number[] = [];
	for (let round = 0; round < 10; round++) {
		times.push(await house.list());
	}
	const suspended = await house.act('suspend', names);
	const machines = house.machines().length;
	return [
		{
			what: `${count} launched at once`,
			value: `${Math.round(launched / 1000)} s`,
			note: `${running} Running afterwards`,
		},
		{
			what: `daemon at rest, ${count} running`,
			value: `${Math.round(rest.resident)} MiB, ${rest.percent.toFixed(2)} % of a core`,
			note: '30 s, one client connected',
		},
		limited(
			`daemon, asked every 5 s what ${count} use`,
			sampling,
			3,
			'% of a core',
			`beyond what it takes at rest; ${sampled} samples`,
		),
		{what: `list of ${count} running`, value: milliseconds(median(times)), note: 'median of 10, beside the guests'},
		{
			what: `${count} suspended in one operation`,
			value: `${(suspended / 1000).toFixed(1)} s`,
			note: `${machines} processes left`,
		},
	];
}
