import type {Driver, InstancePlace, PlugProblem, WorkContext} from '../../drivers/driver.ts';
import {mountPlugged, prepareNative, unmountPlugged} from '../../guest/mount/native.ts';
import type {MountSession} from '../../guest/mount/session.ts';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Mount} from '../../model/mount.ts';
import type {SshAccess} from '../../model/ssh-access.ts';

export type PluggedInput = {
	readonly driver: Driver;
	readonly record: InstanceRecord;
	readonly place: InstancePlace;
	readonly access: SshAccess;
	readonly mount: Mount;
	readonly work: WorkContext;
	readonly onProblem: () => void;
	/** For the instance's history. */
	readonly tell: (what: string) => void;
};

/** Milliseconds between two looks whether it still works. */
const lookEveryMs = 3000;

/** Plugs a native mount in and has the guest mount it; what is there already stays. @throws DroverError, or the signal's reason */
export async function openPlugged(input: PluggedInput): Promise<MountSession> {
	const {driver, record, place, access, mount, work} = input;
	const guest = await prepareNative(access, work.signal);
	const plug = () => driver.plug!(record, place, mount, work, guest);
	const plugged = await plug().catch(async error => {
		// An old one that is of no use any more is still mounted.
		if (!(error instanceof DroverError) || error.code !== 'instance.busy') throw error;
		if ((await unmountPlugged(access, mount.target, {withForce: false})) !== 'ended') throw error;
		return plug();
	});
	work.progress(`mounting ${mount.target}`);
	try {
		await mountPlugged(access, mount.target, plugged, work.signal);
	} catch (error) {
		if (plugged.isNew) await driver.unplug?.(record, place, mount, calm(work)).catch(() => {});
		throw error;
	}
	return new PluggedSession(input);
}

/**
 * Ends a native mount, whoever has made it; one that is not there is no error.
 * @throws DroverError `instance.busy` when the guest has it in use and it cannot be taken out so: it stays then
 */
export async function endPlugged({driver, record, place, access, mount, work, tell}: PluggedInput): Promise<void> {
	// Ending it is no part of the work that made it.
	const unplug = () => driver.unplug?.(record, place, mount, calm(work));
	const found = await driver.plugProblem?.(record, place, mount).catch(() => undefined);
	// Of what is gone the guest must not be asked anything before it is unplugged: it would wait for an answer.
	const how = found?.kind === 'ended' ? 'silent' : await unmountPlugged(access, mount.target, {withForce: false});
	await unplug();
	if (how === 'ended') return;
	// What is open there answers with errors from now on.
	await unmountPlugged(access, mount.target, {withForce: true});
	if (how === 'busy') tell('was in use in the guest when it was ended: what is open there fails');
}

/** A native mount, looked at from time to time: what serves it may end, and then programs in the guest would wait. */
class PluggedSession implements MountSession {
	readonly ended: Promise<DroverError>;
	readonly outlasts = true;
	problem: string | undefined;
	readonly #input: PluggedInput;
	#timer: NodeJS.Timeout | undefined;
	#isOver = false;
	#end!: (why: DroverError) => void;

	constructor(input: PluggedInput) {
		this.#input = input;
		this.ended = new Promise(resolve => {
			this.#end = resolve;
		});
		this.#lookLater();
	}

	/** As {@link endPlugged}. */
	async end(): Promise<void> {
		if (this.#isOver) return;
		this.kill();
		await endPlugged(this.#input);
	}

	/** The guest keeps it: it ends with the machine. */
	kill(why = new DroverError('operation.cancelled', 'The mount was ended.')): void {
		this.#isOver = true;
		clearTimeout(this.#timer);
		this.#end(why);
	}

	#lookLater(): void {
		this.#timer = setTimeout(() => {
			void this.#look().finally(() => {
				if (!this.#isOver) this.#lookLater();
			});
		}, lookEveryMs);
		this.#timer.unref();
	}

	async #look(): Promise<void> {
		const {driver, record, place, mount, onProblem} = this.#input;
		const found = await driver.plugProblem?.(record, place, mount).catch(() => undefined);
		if (this.#isOver) return;
		if (found !== undefined && found.kind !== 'away') return this.#lose(found);
		if (found?.reason === this.problem) return;
		this.problem = found?.reason;
		onProblem();
	}

	/** It is taken out as far as that can be; then it is made anew. */
	async #lose({reason}: PlugProblem): Promise<void> {
		this.#isOver = true;
		clearTimeout(this.#timer);
		await endPlugged(this.#input).catch(() => {});
		this.#end(new DroverError('driver.failed', reason));
	}
}

function calm(work: WorkContext): WorkContext {
	return {...work, signal: new AbortController().signal};
}
