import {abandoned} from '../model/abandoned.ts';
import {DroverError, type ErrorData, errorData} from '../model/errors.ts';
import {isEnded, type LogLine, type OperationItem, type OperationKind, type OperationView} from '../model/operation.ts';
import {plainLine} from '../model/text.ts';

/** What work on one item is given. */
export type ItemWork = {
	readonly operation: string;
	readonly by: string;
	readonly signal: AbortSignal;
	progress(stage: string, percent?: number): void;
	log(line: string): void;
	/** A remark shown at the item's end. */
	note(text: string): void;
};

export type ItemPlan = {readonly target: string; readonly run: (work: ItemWork) => Promise<void>};

type Entry = {
	view: OperationView;
	readonly log: LogLine[];
	readonly controller: AbortController;
	readonly ended: Promise<OperationView>;
};

/** What cleans up after itself when it is called off. */
const cancellable: ReadonlySet<OperationKind> = new Set([
	'launch',
	'start',
	'stop',
	'restart',
	'download',
	'clone',
	'import',
	'move',
]);

const keptOperations = 100;
const keptLogLines = 1000;

/** Work with an id, progress, a log, an owner and an end. Goes on whoever watches. */
export class Operations {
	readonly #entries = new Map<string, Entry>();
	readonly #onChange: (operation: OperationView) => void;
	#next = 1;

	constructor(onChange: (operation: OperationView) => void) {
		this.#onChange = onChange;
	}

	get isBusy(): boolean {
		return [...this.#entries.values()].some(entry => !isEnded(entry.view));
	}

	all(): OperationView[] {
		return [...this.#entries.values()].map(entry => entry.view);
	}

	get(id: string): OperationView {
		return this.#entry(id).view;
	}

	log(id: string): readonly LogLine[] {
		return this.#entry(id).log;
	}

	/** Begins at once; the items run side by side, each bounded by what it waits for itself. */
	begin(kind: OperationKind, by: string, items: readonly ItemPlan[]): OperationView {
		const id = String(this.#next++);
		const now = Date.now();
		let end!: (view: OperationView) => void;
		const entry: Entry = {
			view: {
				id,
				kind,
				title: titleOf(kind, items),
				by: plainLine(by),
				state: 'running',
				items: items.map(({target}) => ({target, state: 'queued', stage: 'queued'})),
				cancellable: cancellable.has(kind),
				createdAt: now,
				startedAt: now,
			},
			log: [],
			controller: new AbortController(),
			ended: new Promise(resolve => {
				end = resolve;
			}),
		};
		this.#entries.set(id, entry);
		this.#trim();
		this.#onChange(entry.view);
		void Promise.all(items.map((item, index) => this.#run(entry, item, index))).then(() => {
			const failed = entry.view.items.find(item => item.error !== undefined);
			const isCancelled = entry.view.items.some(item => item.state === 'cancelled');
			const state = isCancelled ? 'cancelled' : failed ? 'failed' : 'done';
			this.#change(entry, {
				state,
				endedAt: Date.now(),
				cancellable: false,
				...(failed?.error ? {error: failed.error} : {}),
			});
			end(entry.view);
		});
		return entry.view;
	}

	/** Resolves with the ended operation. @throws DroverError `operation.timeout` after so many seconds; the work goes on */
	async wait(id: string, timeoutSeconds?: number): Promise<OperationView> {
		const entry = this.#entry(id);
		if (timeoutSeconds === undefined) return entry.ended;
		let timer: NodeJS.Timeout | undefined;
		const timeout = new Promise<never>((_, reject) => {
			timer = setTimeout(
				() => reject(new DroverError('operation.timeout', `${entry.view.title} has not ended in ${timeoutSeconds} s`)),
				timeoutSeconds * 1000,
			);
		});
		try {
			return await Promise.race([entry.ended, timeout]);
		} finally {
			clearTimeout(timer);
		}
	}

	/** Asks the work to stop; it ends as `cancelled` when it has cleaned up. */
	cancel(id: string, by: string): OperationView {
		const entry = this.#entry(id);
		if (isEnded(entry.view)) return entry.view;
		if (!entry.view.cancellable) {
			throw new DroverError('operation.cancelled', `${entry.view.title} cannot be cancelled any more`, {
				next: 'It will end by itself.',
			});
		}
		this.#say(entry, `cancelled by ${plainLine(by)}`);
		entry.controller.abort(new DroverError('operation.cancelled', `cancelled by ${plainLine(by)}`));
		return entry.view;
	}

	/** Ends all waits without touching instances: what was begun is in the records and is taken up by the next daemon. */
	abandon(): void {
		for (const entry of this.#entries.values()) entry.controller.abort(abandoned);
	}

	async #run(entry: Entry, item: ItemPlan, index: number): Promise<void> {
		const change = (next: Partial<OperationItem>) => {
			const items = entry.view.items.map((old, at) => (at === index ? {...old, ...next} : old));
			this.#change(entry, {items});
		};
		const prefix = entry.view.items.length > 1 ? `${item.target}: ` : '';
		let last: {stage: string; percent: number | undefined} = {stage: 'queued', percent: undefined};
		const work: ItemWork = {
			operation: entry.view.id,
			by: entry.view.by,
			signal: entry.controller.signal,
			progress: (stage, percent) => {
				const text = plainLine(stage);
				let whole = percent === undefined ? undefined : Math.max(0, Math.min(100, Math.floor(percent)));
				if (text === last.stage && whole !== undefined && last.percent !== undefined)
					whole = Math.max(whole, last.percent);
				if (text === last.stage && whole === last.percent) return;
				if (text !== last.stage) this.#say(entry, `${prefix}${text}`);
				last = {stage: text, percent: whole};
				const old = entry.view.items[index]!;
				const {percent: _, ...rest} = old;
				const items = entry.view.items.map((other, at) =>
					at === index
						? {...rest, state: 'running' as const, stage: text, ...(whole === undefined ? {} : {percent: whole})}
						: other,
				);
				this.#change(entry, {items});
			},
			log: line => this.#say(entry, `${prefix}${plainLine(line)}`),
			note: text => change({note: plainLine(text)}),
		};
		try {
			await item.run(work);
			change({state: 'done', stage: 'done'});
		} catch (error) {
			const data: ErrorData = errorData(error);
			if (data.code === 'internal' && error instanceof Error)
				this.#say(entry, `${prefix}${error.stack ?? data.message}`);
			const isCancelled = entry.controller.signal.aborted && data.code === 'operation.cancelled';
			this.#say(
				entry,
				`${prefix}${isCancelled ? 'cancelled' : 'failed'}: ${data.message}${data.cause ? ` (${data.cause})` : ''}`,
			);
			change({state: isCancelled ? 'cancelled' : 'failed', error: data});
		}
	}

	#change(entry: Entry, next: Partial<OperationView>): void {
		entry.view = {...entry.view, ...next};
		this.#onChange(entry.view);
	}

	#say(entry: Entry, text: string): void {
		entry.log.push({at: Date.now(), text});
		if (entry.log.length > keptLogLines) entry.log.splice(0, entry.log.length - keptLogLines);
	}

	#entry(id: string): Entry {
		const entry = this.#entries.get(id);
		if (!entry) {
			throw new DroverError('operation.missing', `There is no operation ${plainLine(id).slice(0, 40)}.`, {
				next: 'drover operations lists them.',
			});
		}
		return entry;
	}

	#trim(): void {
		for (const [id, entry] of this.#entries) {
			if (this.#entries.size <= keptOperations) return;
			if (isEnded(entry.view)) this.#entries.delete(id);
		}
	}
}

export {abandoned};

function titleOf(kind: OperationKind, items: readonly ItemPlan[]): string {
	const names = items.slice(0, 3).map(item => item.target);
	const more = items.length > names.length ? ` and ${items.length - names.length} more` : '';
	return `${kind} ${names.join(', ')}${more}`.trim();
}
