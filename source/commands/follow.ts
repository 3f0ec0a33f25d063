import type {Engine} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {isEnded, type OperationItem, type OperationKind, type OperationView} from '../model/operation.ts';
import {plainLine} from '../model/text.ts';
import {type CommandContext, EarlyExit, type Output} from './command.ts';
import {launchLine} from './launch-progress.ts';

export type FollowOptions = {
	/** Seconds after which following ends; the operation goes on. */
	readonly timeout?: number | undefined;
	/** What is said then. */
	readonly timeoutText?: string;
	/** Also where no terminal is: one line for each change of stage. */
	readonly isTalkative?: boolean;
};

/**
 * Begins an operation and follows it to its end, with a progress line on a terminal. Ctrl-C ends the following, not the
 * operation, and says so.
 * @throws DroverError of the operation; `operation.timeout`; EarlyExit 130 on Ctrl-C
 */
export async function follow(
	context: CommandContext,
	engine: Engine,
	begin: () => Promise<OperationView>,
	options: FollowOptions = {},
): Promise<OperationView> {
	const line = new ProgressLine(context.stdout, options.isTalkative ?? false);
	let id: string | undefined;
	// Before it begins, so that no event is missed.
	const subscription = engine.subscribe(event => {
		if (event.type === 'operation' && event.operation.id === id && !isEnded(event.operation)) {
			line.show(event.operation);
		}
	});
	let stopListening = () => {};
	const end = (begun: OperationView) => {
		line.show(begun);
		const interrupted = new Promise<never>((_, reject) => {
			stopListening = context.onInterrupt(() => {
				reject(new EarlyExit(130, background(begun)));
			});
		});
		const wait = engine.wait({
			id: begun.id,
			...(options.timeout === undefined ? {} : {timeoutSeconds: options.timeout}),
		});
		return Promise.race([wait, interrupted]);
	};
	try {
		const begun = await begin();
		id = begun.id;
		const ended = isEnded(begun) ? begun : await end(begun);
		line.clear();
		const problem = problemOf(ended);
		if (problem !== undefined) throw problem;
		for (const item of ended.items) {
			if (item.note !== undefined) context.stdout.write(`${item.target}: ${plainLine(item.note)}\n`);
		}
		return ended;
	} catch (error) {
		line.clear();
		if (error instanceof DroverError && error.code === 'operation.timeout' && options.timeoutText !== undefined) {
			throw new EarlyExit(5, options.timeoutText);
		}
		if (error instanceof DroverError && error.code === 'daemon.unreachable' && id !== undefined) {
			throw new DroverError('daemon.unreachable', error.message, {
				next: 'The next command, for example "drover list", starts a new daemon, which takes up what was under way.',
				cause: error.cause,
			});
		}
		throw error;
	} finally {
		stopListening();
		subscription.close();
	}
}

function background({id, title}: OperationView): string {
	return `"${title}" goes on in the background as operation ${id}: "drover operations" shows it, "drover operations cancel ${id}" cancels it.`;
}

/** What a failed or cancelled operation throws; all of its items' errors in one. */
export function problemOf(operation: OperationView): DroverError | undefined {
	if (operation.state === 'done') return undefined;
	const failed = operation.items.filter(item => item.error !== undefined);
	const [first] = failed;
	if (operation.state === 'failed' && failed.length > 1) {
		const lines = failed.map(item => `${item.target}: ${item.error!.message}`);
		return new DroverError(first!.error!.code, `The following errors occurred:\n${lines.join('\n')}`, {
			next: first!.error!.next,
		});
	}
	const error = first?.error ?? operation.error;
	if (error !== undefined) return DroverError.from(error);
	return operation.state === 'cancelled'
		? new DroverError('operation.cancelled', `"${operation.title}" was cancelled.`)
		: new DroverError('internal', `"${operation.title}" failed, and did not say why.`);
}

const doing: Readonly<Record<OperationKind, string>> = {
	launch: 'Launching',
	start: 'Starting',
	stop: 'Stopping',
	restart: 'Restarting',
	suspend: 'Suspending',
	delete: 'Deleting',
	recover: 'Recovering',
	purge: 'Purging',
	switch: 'Switching',
	mount: 'Mounting in',
	umount: 'Unmounting from',
	resize: 'Changing',
	snapshot: 'Taking snapshot',
	restore: 'Restoring',
	'delete-snapshots': 'Deleting snapshot',
	clone: 'Cloning',
	forward: 'Forwarding ports of',
	adopt: 'Taking over',
	import: 'Importing',
	move: 'Moving',
	download: 'Downloading',
};

/** `Launching web: downloading 45%`; of several instances how many are done, and what the first other one is at. */
export function progressText(operation: OperationView): string {
	const verb = doing[operation.kind];
	const {items} = operation;
	const active = items.find(item => item.state === 'running') ?? items.find(item => item.state === 'queued');
	const stage = active === undefined ? '' : stageText(active);
	if (operation.kind === 'launch' && items.length === 1) {
		return launchLine(active ?? items[0]!);
	}
	if (items.length <= 1) {
		const head = `${verb} ${items[0]?.target ?? operation.title}`;
		return plainLine(stage === '' ? head : `${head}: ${stage}`);
	}
	const ended = items.filter(item => item.state !== 'running' && item.state !== 'queued').length;
	const head = `${verb} ${items.length} instances: ${ended} done`;
	return plainLine(active === undefined ? head : `${head}; ${active.target}: ${stage}`);
}

function stageText(item: OperationItem): string {
	return item.percent === undefined ? item.stage : `${item.stage} ${Math.floor(item.percent)}%`;
}

/** One line that is rewritten on a terminal; elsewhere a line for each change of stage, without any escape sequence. */
class ProgressLine {
	readonly #output: Output;
	readonly #isTalkative: boolean;
	#shown = '';

	constructor(output: Output, isTalkative: boolean) {
		this.#output = output;
		this.#isTalkative = isTalkative;
	}

	show(operation: OperationView) {
		const isTerminal = this.#output.isTTY;
		if (!isTerminal && !this.#isTalkative) return;
		const text = progressText(operation);
		const line = isTerminal ? cut(text, (this.#output.columns ?? 80) - 1) : withoutCount(text);
		if (line === this.#shown || (!isTerminal && !isBusy(operation) && operation.kind !== 'launch')) return;
		this.#shown = line;
		this.#output.write(isTerminal ? `\r${line}\u001B[K` : `${line}\n`);
	}

	clear() {
		if (this.#output.isTTY && this.#shown !== '') this.#output.write('\r\u001B[K');
		this.#shown = '';
	}
}

/** A log says what is being done; how far it is would be a line each time. */
function withoutCount(text: string): string {
	return text.replace(/(?: \d+ of \d+)?(?:, [\d.]+[KMG]?i?B)?(?::? \d+%)?$/, '');
}

function isBusy({items}: OperationView): boolean {
	return items.some(item => item.state === 'running' && item.stage !== '');
}

/** The beginning of a text that fits into so many columns; East Asian characters and emoji take two. */
export function cut(text: string, columns: number): string {
	let used = 0;
	let end = 0;
	for (const character of text) {
		used += character.codePointAt(0)! >= 0x11_00 ? 2 : 1;
		if (used > columns) break;
		end += character.length;
	}
	return text.slice(0, end);
}
