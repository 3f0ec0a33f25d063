import {setTimeout as sleep} from 'node:timers/promises';
import {type Figure, limited, median, milliseconds, quantile} from './figures.ts';
import {Place, program} from './place.ts';
import {interleave, memoryOf, processorTime} from './process-facts.ts';
import {Terminal} from './terminal.ts';

const down = '\u001B[B';
const up = '\u001B[A';
/** The first row of the table: when it is there, the dashboard can be used. */
const firstRow = 'vm-00001';

/** From the start of the program to the table, against Node itself saying a word on a terminal. */
export async function firstFrame(): Promise<Figure[]> {
	await using place = new Place();
	await place.serveFakes(10);
	const bare = async () => {
		const terminal = new Terminal(['-e', 'process.stdout.write("bare")'], place.env);
		const took = await terminal.untilText('bare');
		await terminal.quit();
		return took;
	};
	const dashboard = async () => {
		const terminal = new Terminal([program], place.env);
		const took = await terminal.untilText(firstRow);
		await terminal.quit();
		return took;
	};
	// The first run compiles and keeps the code, as the first run of a user does.
	await dashboard();
	await dashboard();
	const times = await interleave(20, {bare, dashboard});
	const [own, theirs] = [median(times.dashboard), median(times.bare)];
	return [
		limited(
			'first frame against bare Node',
			own / theirs,
			3.5,
			'x',
			`${milliseconds(own)} to the first row, bare ${milliseconds(theirs)}; medians of 20 in turn`,
		),
	];
}

type Moves = {readonly p50: number; readonly p99: number; readonly bytes: number; readonly processor: number};

/** Moves the pointer down and up within the screen, 60 ms apart as a person's key repeats do. */
async function moves(terminal: Terminal, count: number): Promise<Moves> {
	const keys = Array.from({length: count}, (_, index) => (index % 12 < 6 ? down : up));
	// Warms the machine code up.
	for (const key of keys.slice(0, 48)) {
		await terminal.press(key);
		await sleep(30);
	}
	await terminal.untilQuiet();
	const bytes = terminal.bytes;
	const processor = processorTime(terminal.pid);
	const latencies: number[] = [];
	for (const key of keys) {
		latencies.push(await terminal.press(key));
		await sleep(60);
	}
	await terminal.untilQuiet();
	if (latencies.some(Number.isNaN)) throw new Error('a key was not answered within a second');
	return {
		p50: quantile(latencies, 0.5),
		p99: quantile(latencies, 0.99),
		bytes: (terminal.bytes - bytes) / count,
		processor: (processorTime(terminal.pid) - processor) / count,
	};
}

/** Keys and quiet, with few, some and very many instances. */
export async function keysAndQuiet(): Promise<Figure[]> {
	const found = new Map<number, Moves & {resident: number}>();
	let quiet: {bytes: number; processor: number; seconds: number} | undefined;
	for (const count of [10, 40, 10_000]) {
		await using place = new Place();
		await place.serveFakes(count);
		const terminal = new Terminal([program], place.env);
		try {
			await terminal.untilText(firstRow, 60_000);
			await terminal.untilQuiet();
			found.set(count, {...(await moves(terminal, 240)), resident: memoryOf(terminal.pid).resident});
			if (count === 40) quiet = await silence(terminal, 60);
		} finally {
			await terminal.quit();
		}
	}
	const [few, some, many] = [found.get(10)!, found.get(40)!, found.get(10_000)!];
	return [
		limited('bytes for one cursor move, 120x40', some.bytes, 120, 'B', 'mean of 240 moves, 40 instances'),
		limited(
			'bytes in a minute when nothing changes',
			quiet!.bytes,
			0,
			'B',
			`${quiet!.seconds} s, 40 instances; processor ${((quiet!.processor / quiet!.seconds) * 0.1).toFixed(2)} %`,
		),
		limited('key to frame, p99, 10 instances', few.p99, 16, 'ms', timesOf(few)),
		limited('key to frame, p99, 40 instances', some.p99, 16, 'ms', timesOf(some)),
		limited('key to frame, p99, 10,000 instances', many.p99, 16, 'ms', timesOf(many)),
		limited('key to frame, p50, 10,000 against 10', many.p50 / few.p50, 1.2, 'x'),
		limited('key to frame, p99, 10,000 against 10', many.p99 / few.p99, 1.2, 'x'),
		{
			what: 'memory of the dashboard',
			value: `${Math.round(few.resident)} MiB`,
			note: `${Math.round(many.resident)} MiB with 10,000 instances`,
		},
	];
}

function timesOf({p50, processor}: Moves): string {
	return `p50 ${milliseconds(p50)}, processor ${milliseconds(processor)} a key; 240 keys`;
}

/** What a dashboard does that nobody touches and for which nothing changes. */
async function silence(terminal: Terminal, seconds: number) {
	await terminal.untilQuiet(1000);
	const bytes = terminal.bytes;
	const processor = processorTime(terminal.pid);
	await sleep(seconds * 1000);
	return {bytes: terminal.bytes - bytes, processor: processorTime(terminal.pid) - processor, seconds};
}
