import {setTimeout as sleep} from 'node:timers/promises';
import {type Figure, limited, median, milliseconds, quantile} from './figures.ts';
import {Place, program} from './place.ts';
import {interleave, memoryOf, processorTime} from './process-facts.ts';
import {Terminal} from './terminal.ts';

const down = '\u001B[B';
const up = '\u001B[A';
/** The first row of the table: when it is there, the dashboard can be used. */
const firstRow = 'vm-00001';

/** From the start of the program to its first picture and to the table, against Node itself saying a word. */
export async function firstFrame(): Promise<Figure[]> {
	await using place = new Place();
	await place.serveFakes(10);
	const bare = async () => {
		const terminal = new Terminal(['-e', 'process.stdout.write("bare")'], place.env);
		const took = await terminal.untilText('bare');
		await terminal.quit();
		return took;
	};
	const filled: number[] = [];
	const dashboard = async () => {
		const terminal = new Terminal([program], place.env);
		const took = await terminal.untilText('Instances');
		filled.push(await terminal.untilText(firstRow));
		await terminal.quit();
		return took;
	};
	// The first run compiles and keeps the code, as the first run of a user does.
	await dashboard();
	await dashboard();
	filled.length = 0;
	const times = await interleave(30, {bare, dashboard});
	const [own, theirs, table] = [median(times.dashboard), median(times.bare), median(filled)];
	const how = `bare ${milliseconds(theirs)}; medians of 30 in turn`;
	return [
		limited('first frame against bare Node', own / theirs, 3.5, 'x', `${milliseconds(own)}, ${how}`),
		{
			what: 'first row of the table against bare Node',
			value: `${(table / theirs).toFixed(2)}x`,
			note: `${milliseconds(table)}, ${how}`,
		},
	];
}

type Moves = {readonly p50: number; readonly p99: number; readonly bytes: number; readonly processor: number};

const presses = 240;

const echoProgram = `process.stdin.setRawMode(true);
process.stdin.on('data', key => key.includes('q') ? process.exit() : process.stdout.write('x'));
process.stdout.write('ready');`;

/**
 * Moves the pointer down and up within the screen, 60 ms apart as a person's key repeats do. Several dashboards get each
 * key in turn, so that a busy moment of the machine hits all alike.
 */
async function moves(terminals: readonly Terminal[]): Promise<Moves[]> {
	const keyAt = (index: number) => (index % 12 < 6 ? down : up);
	// Warms the machine code up.
	for (let index = 0; index < 48; index++) {
		for (const terminal of terminals) await terminal.press(keyAt(index));
		await sleep(30);
	}
	for (const terminal of terminals) await terminal.untilQuiet();
	const before = terminals.map(({pid, bytes}) => ({bytes, processor: processorTime(pid)}));
	const latencies = terminals.map(() => [] as number[]);
	for (let index = 0; index < presses; index++) {
		for (const [which, terminal] of terminals.entries()) {
			latencies[which]!.push(await terminal.press(keyAt(index)));
			await sleep(60 / terminals.length);
		}
	}
	for (const terminal of terminals) await terminal.untilQuiet();
	if (latencies.flat().some(Number.isNaN)) throw new Error('a key was not answered within a second');
	return terminals.map(({pid, bytes}, which) => ({
		p50: quantile(latencies[which]!, 0.5),
		p99: quantile(latencies[which]!, 0.99),
		bytes: (bytes - before[which]!.bytes) / presses,
		processor: (processorTime(pid) - before[which]!.processor) / presses,
	}));
}

/** Keys and quiet, with few, some and very many instances. */
export async function keysAndQuiet(): Promise<Figure[]> {
	await using stack = new AsyncDisposableStack();
	const terminals: Terminal[] = [];
	for (const count of [10, 40, 10_000]) {
		const place = stack.use(new Place());
		await place.serveFakes(count);
		const terminal = new Terminal([program], place.env);
		stack.defer(() => terminal.quit());
		await terminal.untilText(firstRow, 60_000);
		await terminal.untilQuiet();
		terminals.push(terminal);
	}
	// What the machine itself adds: Node that answers each key with one letter, and nothing else.
	const place = stack.use(new Place());
	const echo = new Terminal(['-e', echoProgram], place.env);
	stack.defer(() => echo.quit());
	await echo.untilText('ready');
	const measured = await moves([...terminals, echo]);
	const [few, some, many, bare] = measured as [Moves, Moves, Moves, Moves];
	const quiet = await silence(terminals[1]!, 60);
	const resident = terminals.map(({pid}) => Math.round(memoryOf(pid).resident));
	return [
		limited('bytes for one cursor move, 120x40', some.bytes, 120, 'B', `mean of ${presses} moves, 40 instances`),
		limited(
			'bytes in a minute when nothing changes',
			quiet.bytes,
			0,
			'B',
			`${quiet.seconds} s, 40 instances; processor ${((quiet.processor / quiet.seconds) * 0.1).toFixed(2)} %`,
		),
		limited('key to frame, p99, 10 instances', few.p99, 16, 'ms', timesOf(few)),
		limited('key to frame, p99, 40 instances', some.p99, 16, 'ms', timesOf(some)),
		limited('key to frame, p99, 10,000 instances', many.p99, 16, 'ms', timesOf(many)),
		limited('key to frame, p50, 10,000 against 10', many.p50 / few.p50, 1.2, 'x', 'each key to both, in turn'),
		limited('key to frame, p99, 10,000 against 10', many.p99 / few.p99, 1.2, 'x', 'each key to both, in turn'),
		{
			what: 'key to one letter of bare Node, p99',
			value: milliseconds(bare.p99),
			note: `p50 ${milliseconds(bare.p50)}; what a busy machine adds to all of the above`,
		},
		{
			what: 'memory of the dashboard',
			value: `${resident[0]} MiB`,
			note: `${resident[1]} MiB with 40 instances, ${resident[2]} MiB with 10,000`,
		},
	];
}

function timesOf({p50, processor}: Moves): string {
	return `p50 ${milliseconds(p50)}, processor ${milliseconds(processor)} a key; ${presses} keys`;
}

/** What a dashboard does that nobody touches and for which nothing changes. */
async function silence(terminal: Terminal, seconds: number) {
	await terminal.untilQuiet(1000);
	const bytes = terminal.bytes;
	const processor = processorTime(terminal.pid);
	await sleep(seconds * 1000);
	return {bytes: terminal.bytes - bytes, processor: processorTime(terminal.pid) - processor, seconds};
}
