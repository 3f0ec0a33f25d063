import type {SettingReader, WorkContext} from '../drivers/driver.ts';
import type {ImageStore} from '../images/image.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceRecord} from '../model/instance.ts';
import type {Paths} from '../state/paths.ts';
import type {Entry, Instances} from './instances.ts';

/** What the pieces of work share. */
export type Workshop = {
	readonly paths: Paths;
	readonly instances: Instances;
	readonly images: ImageStore;
	/** Resolves with the SSH banner. @throws DroverError `guest.unanswered` */
	readonly waitForAnswer: (request: {
		host: string;
		port: number;
		timeoutMs: number;
		signal: AbortSignal;
	}) => Promise<string>;
	/** One try, at most half a second; `undefined` when the guest does not answer. */
	readonly tryAnswer: (ssh: {host: string; port: number}) => Promise<string | undefined>;
	/** The drover user's client key, made when first needed. */
	readonly clientKey: () => Promise<{public: string}>;
	readonly hostKey: () => Promise<{private: string; public: string}>;
	/** The value of a setting that is in force. */
	readonly setting: SettingReader;
	readonly now: () => Date;
	readonly random: () => number;
	readonly uuid: () => string;
};

/** Seconds a guest may take to answer after a start, unless told. */
export const answerSeconds = 300;

/**
 * Waits until the guest answers on its SSH port, or the hypervisor says that it is off.
 * The guest not answering in time is remembered in the record (the instance shows as Unknown) and thrown.
 * @throws DroverError `guest.unanswered`, `guest.failed`, `operation.cancelled`
 */
export async function awaitAnswer(
	shop: Workshop,
	entry: Entry,
	work: WorkContext,
	seconds = answerSeconds,
): Promise<InstanceRecord> {
	const {instances} = shop;
	work.progress('waiting for the guest to answer');
	const observation = await instances.observe(entry);
	const ssh = observation?.ssh;
	if (observation?.power === 'off' || ssh === undefined) throw diedWhileStarting(entry);
	const gone = new AbortController();
	const signal = AbortSignal.any([work.signal, gone.signal]);
	// The watch tells at once when the machine goes away; this is the net below it.
	const look = setInterval(() => {
		void instances.observe(entry).then(seen => {
			if (seen?.power === 'off' || seen?.power === 'unusable') gone.abort(diedWhileStarting(entry));
		});
	}, 1000);
	try {
		const banner = await shop.waitForAnswer({...ssh, timeoutMs: seconds * 1000, signal});
		work.log(`the guest answered: ${banner}`);
	} catch (error) {
		if (gone.signal.aborted) throw gone.signal.reason;
		if (work.signal.aborted) throw work.signal.reason;
		const reason = `the guest did not answer on SSH in ${seconds} s`;
		await work.update({unanswered: {since: shop.now().toISOString(), reason}});
		throw new DroverError('guest.unanswered', `${entry.name}: timed out waiting for response: ${reason}`, {
			next: `It was left running: see "drover console ${entry.name}", start it again after "drover stop --force ${entry.name}", or wait.`,
			cause: error,
		});
	} finally {
		clearInterval(look);
	}
	return work.update({unanswered: undefined});
}

function diedWhileStarting(entry: Entry): DroverError {
	return new DroverError('guest.failed', `${entry.name}: shut down during start`, {
		next: `"drover console ${entry.name}" shows what the guest last wrote.`,
	});
}
