import {setTimeout as delay} from 'node:timers/promises';
import type {WorkContext} from '../../drivers/driver.ts';
import {type InitReport, parseInitLine} from '../../guest/cloud-status.ts';
import {initCommand} from '../../guest/follow-init.ts';
import {sshAccessOf} from '../../guest/ssh-config.ts';
import {DroverError} from '../../model/errors.ts';
import type {Entry} from '../instances.ts';
import type {Workshop} from '../workshop.ts';

/** What waiting for a guest's initialization came to. */
export type InitOutcome =
	| Extract<InitReport, {kind: 'absent' | 'disabled' | 'ended'}>
	/** The time is over; what was last known of it. */
	| {readonly kind: 'late'; readonly seconds: number; readonly last?: InitReport; readonly complaint?: string}
	/** The guest answers and lets nobody in who could ask. */
	| {readonly kind: 'refused'; readonly complaint: string}
	/** The guest is not running any more. */
	| {readonly kind: 'gone'};

const lookMs = 1000;
/** Milliseconds that asking once by way of the hypervisor may take: a python has to start in a slow guest. */
const askTimeoutMs = 30_000;

/**
 * Waits until the guest has initialized itself, as cloud-init tells it, and tells its stages meanwhile: by way of the
 * hypervisor where the driver can, else over one SSH connection, made again when the guest reboots. Needs nothing of the
 * guest but a shell.
 * @throws DroverError `operation.cancelled`
 */
export async function awaitInit(
	shop: Workshop,
	entry: Entry,
	work: WorkContext,
	seconds: number,
): Promise<InitOutcome> {
	work.progress(stageText(undefined));
	return new InitWait(shop, entry, work, seconds).run();
}

class InitWait {
	readonly #shop: Workshop;
	readonly #entry: Entry;
	readonly #work: WorkContext;
	readonly #seconds: number;
	readonly #over = new AbortController();
	readonly #signal: AbortSignal;
	#last: InitReport | undefined;
	#complaint: string | undefined;
	/** Since when every attempt was refused, on the process's clock. */
	#refusedSince: number | undefined;

	constructor(shop: Workshop, entry: Entry, work: WorkContext, seconds: number) {
		this.#shop = shop;
		this.#entry = entry;
		this.#work = work;
		this.#seconds = seconds;
		this.#signal = AbortSignal.any([work.signal, this.#over.signal]);
	}

	async run(): Promise<InitOutcome> {
		try {
			return await Promise.race([this.#ask(), this.#watch(), this.#timeout()]);
		} catch (error) {
			if (this.#work.signal.aborted) throw this.#work.signal.reason;
			throw error;
		} finally {
			this.#over.abort();
		}
	}

	async #ask(): Promise<InitOutcome> {
		for (;;) {
			const outcome = (await this.#byHypervisor()) ?? (await this.#bySsh());
			this.#signal.throwIfAborted();
			if (outcome !== 'again') return outcome;
			await this.#sleep();
		}
	}

	/** @returns nothing where there is no such way, or not now */
	async #byHypervisor(): Promise<InitOutcome | 'again' | undefined> {
		const {instances} = this.#shop;
		const {driver} = instances;
		if (driver.execute === undefined) return undefined;
		try {
			const {stdout} = await driver.execute(
				instances.record(this.#entry),
				instances.place(this.#entry),
				initCommand(1),
				{
					timeoutMs: askTimeoutMs,
					signal: this.#signal,
				},
			);
			return this.#heard(stdout.split('\n')[0] ?? '') ?? 'again';
		} catch {
			return undefined;
		}
	}

	async #bySsh(): Promise<InitOutcome | 'again'> {
		const {instances, paths, followInit} = this.#shop;
		const record = instances.record(this.#entry);
		const ssh = this.#entry.observation?.ssh;
		if (ssh === undefined || record.ssh.hostKey === '') return this.#shutOut('no address of it leads there from here');
		const enough = new AbortController();
		let outcome: InitOutcome | undefined;
		const {complaint} = await followInit({
			access: () => sshAccessOf(paths, record, ssh),
			looks: this.#seconds,
			signal: AbortSignal.any([this.#signal, enough.signal]),
			onLine: line => {
				this.#refusedSince = undefined;
				outcome ??= this.#heard(line);
				if (outcome !== undefined) enough.abort();
			},
		});
		if (outcome !== undefined) return outcome;
		if (complaint === '') return 'again';
		this.#complaint = complaint;
		const isRefusal = /permission denied|host key verification failed|too many authentication|not installed/i;
		return isRefusal.test(complaint) ? this.#shutOut(complaint) : 'again';
	}

	/** cloud-init lets us in; where the SSH server is there before it, a refusal is not the last word. */
	#shutOut(complaint: string): InitOutcome | 'again' {
		this.#complaint = complaint;
		this.#refusedSince ??= performance.now();
		const isLastWord = performance.now() - this.#refusedSince > (this.#seconds * 1000) / 5;
		return isLastWord ? {kind: 'refused', complaint} : 'again';
	}

	#heard(line: string): InitOutcome | undefined {
		const report = parseInitLine(line);
		if (report === undefined) return undefined;
		if (report.kind !== 'running') return report;
		const before = this.#last?.kind === 'running' ? this.#last.errors.length : 0;
		for (const error of report.errors.slice(before)) this.#work.log(`cloud-init reports an error: ${error}`);
		this.#last = report;
		this.#work.progress(stageText(report));
		return undefined;
	}

	/** Ends when the guest does, whoever ended it. */
	async #watch(): Promise<InitOutcome> {
		for (;;) {
			await this.#sleep();
			const seen = await this.#shop.instances.observe(this.#entry);
			if (seen === undefined || ['off', 'suspended', 'unusable'].includes(seen.power)) return {kind: 'gone'};
		}
	}

	async #timeout(): Promise<InitOutcome> {
		await delay(this.#seconds * 1000, undefined, {signal: this.#signal});
		return {
			kind: 'late',
			seconds: this.#seconds,
			...(this.#last === undefined ? {} : {last: this.#last}),
			...(this.#complaint === undefined ? {} : {complaint: this.#complaint}),
		};
	}

	async #sleep(): Promise<void> {
		await delay(lookMs, undefined, {signal: this.#signal});
	}
}

function stageText(report: Extract<InitReport, {kind: 'running'}> | undefined): string {
	const stage = report?.stage === undefined ? '' : `: ${report.stage}`;
	const errors = report?.errors.length ? `, ${report.errors.length} failed` : '';
	return `waiting for initialization${stage}${errors}`;
}

/** What is to be told beside a launch that is a success. */
export function initNote(outcome: InitOutcome): string | undefined {
	switch (outcome.kind) {
		case 'absent':
			return 'its image has no cloud-init: nothing of its configuration was applied';
		case 'disabled':
			return 'cloud-init is disabled in its image: nothing of its configuration was applied';
		case 'ended':
			return outcome.warnings.length === 0
				? undefined
				: `cloud-init has ended, with ${outcome.warnings.length === 1 ? 'a warning' : `${outcome.warnings.length} warnings`}: ${outcome.warnings[0]}`;
		default:
			return undefined;
	}
}

/**
 * What makes a launch a failure although the instance is there: it is not as it was asked for, or nobody knows.
 * @param isAsked whether the user gave a cloud-config
 */
export function initProblem(name: string, outcome: InitOutcome, isAsked: boolean): DroverError | undefined {
	const where = `"drover exec ${name} -- sudo cat /var/log/cloud-init-output.log" shows what it did.`;
	switch (outcome.kind) {
		case 'ended': {
			if (outcome.errors.length === 0) return undefined;
			const [first, ...others] = outcome.errors;
			const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
			return new DroverError(
				'guest.failed',
				`${name} was launched and runs, but cloud-init failed in it: ${first!.replace(/\.$/, '')}${more}`,
				{next: where},
			);
		}
		case 'late':
			return new DroverError(
				'guest.unanswered',
				`${name} was launched and runs, but its initialization has not ended in ${outcome.seconds} s: ${lateText(outcome)}`,
				{next: `It goes on by itself: "drover exec ${name} -- cloud-init status --wait" waits for its end.`},
			);
		case 'refused':
			return new DroverError(
				'guest.unanswered',
				`${name} was launched and runs, but nobody is let in to ask whether it is initialized: ${outcome.complaint}`,
				{next: `An image without cloud-init knows neither user nor key: see "drover console ${name}".`},
			);
		case 'absent':
		case 'disabled':
			if (!isAsked) return undefined;
			return new DroverError(
				'guest.failed',
				`${name} was launched and runs, but its cloud-config was not applied: ${outcome.kind === 'absent' ? 'the image has no cloud-init' : 'cloud-init is disabled in the image'}`,
				{next: 'Choose an image with cloud-init, or set it up by hand.'},
			);
		case 'gone':
			return new DroverError('guest.failed', `${name} was launched, but stopped before its initialization had ended`, {
				next: `"drover start ${name}" starts it again; "drover events ${name}" tells what happened.`,
			});
	}
}

function lateText({last, complaint}: Extract<InitOutcome, {kind: 'late'}>): string {
	if (last?.kind === 'running' && last.stage !== undefined) return `the last stage seen was ${last.stage}`;
	return complaint === undefined ? 'nothing was heard of it' : `it could not be asked: ${complaint}`;
}
