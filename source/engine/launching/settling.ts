import {DroverError, errorData} from '../../model/errors.ts';
import type {Intent} from '../../model/instance.ts';
import type {Mount} from '../../model/mount.ts';
import {configKey, rememberLaunch} from '../../state/launch-times.ts';
import {answerSeconds} from '../answering.ts';
import {beside} from '../beside.ts';
import type {Entry} from '../instances.ts';
import {mountOne} from '../mounting/mounting.ts';
import {abandoned, type ItemWork} from '../operations.ts';
import type {Workshop} from '../workshop.ts';
import {awaitInit, type InitOutcome, initNote, initProblem} from './initializing.ts';
import {cloudInitOf} from './launch.ts';
import type {LaunchClock} from './launch-clock.ts';

/**
 * The rest of a launch whose guest answers: it is waited for until the guest is initialized, and its mounts are made. It
 * is an instance like any other by now: what goes wrong leaves it running and is told, and a stop ends the waiting.
 * @throws DroverError what is not as it was asked for
 */
export async function settleIn(shop: Workshop, entry: Entry, item: ItemWork, clock: LaunchClock): Promise<void> {
	const {instances} = shop;
	const {intent} = instances.record(entry);
	if (intent?.action !== 'launch') return;
	try {
		const problems = [await initialize(shop, entry, item, clock, intent), await mountAll(shop, entry, item, intent)];
		throwTogether(entry.name, problems);
	} catch (error) {
		if (item.signal.aborted && item.signal.reason !== abandoned) throw calledOff(entry, item.signal.reason);
		throw error;
	} finally {
		clock.stop();
		// Not that of another action, which may have ended this one.
		if (item.signal.reason !== abandoned && !entry.isGone) {
			await instances.update(entry, now => (now.intent?.action === 'launch' ? {intent: undefined} : {}));
		}
	}
}

async function initialize(
	shop: Workshop,
	entry: Entry,
	item: ItemWork,
	clock: LaunchClock,
	{by, options}: Intent,
): Promise<DroverError | undefined> {
	const {instances} = shop;
	const cloudInit = await cloudInitOf(instances.place(entry).directory);
	let outcome: InitOutcome | undefined;
	const began = performance.now();
	clock.begin('init');
	await beside(instances, entry, 'launch', item, async work => {
		outcome = await awaitInit(shop, entry, clock.over(work), options.answerTimeout ?? answerSeconds);
	});
	const problem = initProblem(entry.name, outcome!, cloudInit !== undefined);
	const note = problem === undefined ? initNote(outcome!) : undefined;
	if (note !== undefined) item.note(note);
	if (outcome!.kind === 'gone') return problem;
	if (problem === undefined) await remember(shop, entry, cloudInit, clock).catch(() => {});
	const seconds = ((performance.now() - began) / 1000).toFixed(1);
	await instances.tell(entry, problem?.message ?? note ?? `initialized, ${seconds} s after it answered`, by);
	return problem;
}

/** What cannot be remembered makes the next launch's progress poorer, and nothing else. */
async function remember({instances, paths}: Workshop, entry: Entry, cloudInit: string | undefined, clock: LaunchClock) {
	const took = clock.end();
	const {hash} = instances.record(entry).image;
	if (took === undefined || hash === '') return;
	await rememberLaunch(paths, {driver: instances.driver.name, image: hash}, configKey(cloudInit), took);
}

/** Makes the mounts that a launch was asked for. @returns what is to be told when some could not be made */
async function mountAll(
	shop: Workshop,
	entry: Entry,
	item: ItemWork,
	{by, options}: Intent,
): Promise<DroverError | undefined> {
	const {instances} = shop;
	const {mounts = []} = options;
	if (mounts.length === 0 || entry.isGone) return undefined;
	const failures: Array<{mount: Mount; error: unknown}> = [];
	await instances.exclusive(entry, 'launch', item, async work => {
		for (const mount of mounts) {
			// Taken up after a crash: this one was made already.
			if (instances.record(entry).mounts?.some(made => made.target === mount.target)) continue;
			try {
				await mountOne({driver: instances.driver, instances, mounts: shop.mounts}, entry, mount, by, work);
			} catch (error) {
				if (work.signal.aborted) throw work.signal.reason;
				work.log(`${mount.source} could not be mounted: ${errorData(error).message}`);
				failures.push({mount, error});
			}
		}
	});
	const [first] = failures;
	if (first === undefined) return undefined;
	const {code, next} = errorData(first.error);
	const sentences = failures.map(
		({mount, error}) => `"${mount.source}" could not be mounted on "${mount.target}": ${errorData(error).message}`,
	);
	return new DroverError(code, `${entry.name} was launched and runs, but ${sentences.join('; ')}`, {
		next,
		cause: first.error,
	});
}

/** One error for all that is not as it should be: the first one's code and advice, and everyone's sentence. */
function throwTogether(name: string, found: ReadonlyArray<DroverError | undefined>): void {
	const [first, ...others] = found.filter(problem => problem !== undefined);
	if (first === undefined) return;
	const start = `${name} was launched and runs, but `;
	const more = others.map(({message}) => `; ${message.startsWith(start) ? message.slice(start.length) : message}`);
	throw new DroverError(first.code, `${first.message}${more.join('')}`, {next: first.next, cause: first.cause});
}

function calledOff({name}: Entry, reason: unknown): DroverError {
	return new DroverError('operation.cancelled', `${errorData(reason).message}; ${name} was launched and stays`, {
		next: `"drover delete ${name}" removes it.`,
		cause: reason,
	});
}
