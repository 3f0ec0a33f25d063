import {setTimeout as delay} from 'node:timers/promises';
import type {WorkContext} from '../drivers/driver.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceRecord, Observation} from '../model/instance.ts';
import type {Entry} from './instances.ts';
import type {Workshop} from './workshop.ts';

/** Seconds a guest may take to answer after a start, unless told. */
export const answerSeconds = 300;

/** Milliseconds between two looks at an instance: at first, while it has no address, and then. */
const looks = {eagerMs: 250, calmMs: 1000, eagerForMs: 15_000} as const;

/** Milliseconds that asking a silent guest by way of the hypervisor may take, beside other work. */
const askTimeoutMs = 1500;

/**
 * Waits until the guest is up: it answers on its SSH port, wherever its address turns out to be, or, when it has not done
 * so for a while and the driver has another way, it answers there. Ends when the hypervisor says that it is off.
 * The guest not answering in time is remembered in the record (the instance shows as Unknown) and thrown.
 * @param did what has been done to it, for its history: `started`
 * @throws DroverError `guest.unanswered`, `guest.failed`, `operation.cancelled`
 */
export async function awaitAnswer(
	shop: Workshop,
	entry: Entry,
	work: WorkContext,
	{seconds = answerSeconds, did}: {readonly seconds?: number | undefined; readonly did: string},
): Promise<InstanceRecord> {
	work.progress('waiting for the guest to answer');
	const wait = new Wait(shop, entry, work, seconds * 1000);
	try {
		work.log(await wait.run());
	} catch (error) {
		if (work.signal.aborted) throw work.signal.reason;
		if (!(error instanceof DroverError) || error.code !== 'guest.unanswered') throw error;
		const reason = wait.hasAddress
			? `the guest did not answer on SSH in ${seconds} s`
			: `the guest got no address that can be reached from here in ${seconds} s`;
		const {intent} = await work.update({unanswered: {since: shop.now().toISOString(), reason}});
		await shop.instances.tell(entry, `${did}, and ${reason}`, intent?.by);
		throw new DroverError('guest.unanswered', `${entry.name}: timed out waiting for response: ${reason}`, {
			next: `It was left running: see "drover console ${entry.name}", start it again after "drover stop --force ${entry.name}", or wait.`,
			cause: error,
		});
	}
	return work.update({unanswered: undefined});
}

/** Whether a guest that had been silent is up now, without waiting for it. Never throws. */
export async function answersNow({instances, tryAnswer}: Workshop, entry: Entry): Promise<boolean> {
	const {power, ssh} = entry.observation ?? {};
	if (power !== 'running') return false;
	if (ssh !== undefined && (await tryAnswer(ssh)) !== undefined) return true;
	const {driver} = instances;
	if (driver.answers === undefined || entry.stored.kind !== 'record') return false;
	const asked = driver.answers(entry.stored.record, instances.place(entry), AbortSignal.timeout(askTimeoutMs));
	return asked.then(
		() => true,
		() => false,
	);
}

/** One wait, with all that goes on side by side in it. */
class Wait {
	readonly #shop: Workshop;
	readonly #entry: Entry;
	readonly #timeoutMs: number;
	readonly #began = performance.now();
	/** Ends everything: the guest has answered, or is gone. */
	readonly #over = new AbortController();
	readonly #signal: AbortSignal;
	#ssh: Observation['ssh'];
	/** There is no use in waiting for SSH. */
	#isOutOfReach = false;
	/** Aborted when the guest is somewhere else than before. */
	#moved = new AbortController();

	constructor(shop: Workshop, entry: Entry, work: WorkContext, timeoutMs: number) {
		this.#shop = shop;
		this.#entry = entry;
		this.#timeoutMs = timeoutMs;
		this.#signal = AbortSignal.any([work.signal, this.#over.signal]);
	}

	get hasAddress(): boolean {
		return this.#ssh !== undefined;
	}

	/** @returns how it answered, for the log @throws DroverError */
	async run(): Promise<string> {
		try {
			return await Promise.race([this.#watch(), this.#bySsh(), this.#byHypervisor(), this.#timeout()]);
		} finally {
			this.#over.abort();
		}
	}

	/** Looks again and again: the net below the driver's watch, and how an address becomes known. */
	async #watch(): Promise<never> {
		for (;;) {
			const seen = await this.#shop.instances.observe(this.#entry);
			this.#signal.throwIfAborted();
			if (seen === undefined || seen.power === 'off' || seen.power === 'unusable') throw died(this.#entry);
			this.#isOutOfReach = seen.isOutOfReach === true;
			if (seen.ssh?.host !== this.#ssh?.host || seen.ssh?.port !== this.#ssh?.port) {
				this.#ssh = seen.ssh;
				this.#moved.abort();
				this.#moved = new AbortController();
			}
			const isEager = this.#ssh === undefined && this.#elapsed() < looks.eagerForMs;
			await this.#sleep(isEager ? looks.eagerMs : looks.calmMs);
		}
	}

	async #bySsh(): Promise<string> {
		for (;;) {
			const moved = this.#moved.signal;
			const signal = AbortSignal.any([this.#signal, moved]);
			try {
				if (this.#ssh === undefined) await untilAborted(signal);
				else {
					const timeoutMs = Math.max(0, this.#timeoutMs - this.#elapsed());
					const banner = await this.#shop.waitForAnswer({...this.#ssh, timeoutMs, signal});
					return `the guest answered: ${banner}`;
				}
			} catch (error) {
				if (!moved.aborted || this.#signal.aborted) throw error;
			}
		}
	}

	/** A guest may have no SSH server, or an address that leads nowhere from here. */
	async #byHypervisor(): Promise<string> {
		const {instances, directAfterMs} = this.#shop;
		const {driver} = instances;
		if (driver.answers === undefined) return untilAborted(this.#signal);
		while (!this.#isOutOfReach && this.#elapsed() < directAfterMs) {
			await this.#sleep(Math.min(looks.eagerMs, Math.max(1, directAfterMs - this.#elapsed())));
		}
		for (;;) {
			try {
				const record = instances.record(this.#entry);
				const answer = await driver.answers(record, instances.place(this.#entry), this.#signal);
				const why = this.#isOutOfReach ? 'no address of it leads there from here' : 'no SSH server does';
				return `${answer}, ${why}: shell and exec go by way of the hypervisor`;
			} catch {
				this.#signal.throwIfAborted();
				await this.#sleep(looks.calmMs);
			}
		}
	}

	async #timeout(): Promise<never> {
		await this.#sleep(this.#timeoutMs);
		// Where there is an address its own wait tells more, at the same moment.
		await this.#sleep(50);
		throw new DroverError('guest.unanswered', 'the guest did not answer in time');
	}

	#elapsed(): number {
		return performance.now() - this.#began;
	}

	async #sleep(milliseconds: number): Promise<void> {
		await delay(milliseconds, undefined, {signal: this.#signal});
	}
}

function untilAborted(signal: AbortSignal): Promise<never> {
	return new Promise((_, reject) => {
		const end = () => reject(signal.reason);
		if (signal.aborted) end();
		else signal.addEventListener('abort', end, {once: true});
	});
}

function died(entry: Entry): DroverError {
	return new DroverError('guest.failed', `${entry.name}: shut down during start`, {
		next: `"drover console ${entry.name}" shows what the guest last wrote.`,
	});
}
