import {DroverError} from '../model/errors.ts';
import type {ImageWork} from './image.ts';
import {throwIfCancelled} from './run.ts';

type Job<T> = {
	readonly result: Promise<T>;
	readonly abort: AbortController;
	readonly watchers: Set<ImageWork>;
	/** What a late watcher is told first. */
	stage: {readonly text: string; readonly percent: number | undefined} | undefined;
};

/**
 * One piece of work for all who want the same thing at the same time. Everyone hears of its progress; one who cancels
 * leaves alone, and the work itself is given up when nobody is left.
 */
export class SharedWork<T> {
	readonly #jobs = new Map<string, Job<T>>();

	/** @throws what the work throws; DroverError `operation.cancelled` when this caller's signal is raised */
	async join(key: string, work: ImageWork, perform: (shared: ImageWork) => Promise<T>): Promise<T> {
		throwIfCancelled(work.signal);
		let job = this.#jobs.get(key);
		if (job?.abort.signal.aborted) {
			// It is being given up: the next one begins when it has cleaned up.
			await job.result.catch(() => undefined);
			return this.join(key, work, perform);
		}
		if (job === undefined) {
			job = this.#begin(key, perform);
		} else if (job.stage !== undefined) {
			work.progress(job.stage.text, job.stage.percent);
		}
		return watch(job, work);
	}

	#begin(key: string, perform: (shared: ImageWork) => Promise<T>): Job<T> {
		const abort = new AbortController();
		const watchers = new Set<ImageWork>();
		const shared: ImageWork = {
			signal: abort.signal,
			progress(text, percent) {
				job.stage = {text, percent};
				for (const watcher of watchers) watcher.progress(text, percent);
			},
			log(line) {
				for (const watcher of watchers) watcher.log(line);
			},
		};
		const job: Job<T> = {
			// A turn later, so that the first watcher hears everything.
			result: Promise.resolve()
				.then(() => perform(shared))
				.finally(() => this.#jobs.delete(key)),
			abort,
			watchers,
			stage: undefined,
		};
		this.#jobs.set(key, job);
		return job;
	}
}

async function watch<T>(job: Job<T>, work: ImageWork): Promise<T> {
	// A copy of its own, since two callers may hand in the same object.
	const watcher = {...work, progress: work.progress.bind(work), log: work.log.bind(work)};
	job.watchers.add(watcher);
	let leave: () => void = () => undefined;
	const cancelled = new Promise<'cancelled'>(resolve => {
		leave = () => resolve('cancelled');
		work.signal.addEventListener('abort', leave, {once: true});
	});
	try {
		const first = await Promise.race([job.result, cancelled.then(() => undefined)]);
		if (first !== undefined) return first;
		job.watchers.delete(watcher);
		if (job.watchers.size === 0) {
			job.abort.abort(work.signal.reason);
			// Cancelled means that nothing is left behind, so its end is waited for.
			await job.result.catch(() => undefined);
		}
		throwIfCancelled(work.signal);
		throw new DroverError('operation.cancelled', 'Cancelled: nothing was kept.');
	} finally {
		job.watchers.delete(watcher);
		work.signal.removeEventListener('abort', leave);
	}
}
