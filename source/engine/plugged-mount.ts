import type {Driver, InstancePlace, WorkContext} from '../drivers/driver.ts';
import {mountPlugged, unmountPlugged} from '../guest/mount/native.ts';
import {UnknownKind} from '../guest/mount/refusals.ts';
import type {MountSession} from '../guest/mount/session.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceRecord} from '../model/instance.ts';
import type {GuestMount, Mount} from '../model/mount.ts';
import type {SshAccess} from '../model/ssh-access.ts';

export type PluggedInput = {
	readonly driver: Driver;
	readonly record: InstanceRecord;
	readonly place: InstancePlace;
	readonly access: SshAccess;
	readonly mount: Mount;
	readonly work: WorkContext;
};

/** Milliseconds between two looks whether it still works. */
const lookEveryMs = 5000;

/** Plugs a native mount in and has the guest mount it. @throws DroverError, or the signal's reason */
export async function openPlugged(input: PluggedInput): Promise<MountSession> {
	const {driver, record, place, access, mount, work} = input;
	let plugged = await driver.plug!(record, place, mount, work);
	work.progress(`mounting ${mount.target}`);
	try {
		await mountPlugged(access, mount.target, plugged, work.signal);
	} catch (error) {
		if (!(error instanceof UnknownKind)) throw error;
		work.log(error.message);
		plugged = await driver.plug!(record, place, mount, work, plugged.fileSystem);
		await mountPlugged(access, mount.target, plugged, work.signal);
	}
	return new Plugged(input, plugged);
}

/** A native mount, looked at from time to time: what serves it may end, and then programs in the guest would wait. */
class Plugged implements MountSession {
	readonly ended: Promise<DroverError>;
	readonly problem = undefined;
	readonly #input: PluggedInput;
	readonly #guestMount: GuestMount;
	readonly #timer: NodeJS.Timeout;
	#isEnding = false;
	#tell!: (why: DroverError) => void;

	constructor(input: PluggedInput, guestMount: GuestMount) {
		this.#input = input;
		this.#guestMount = guestMount;
		this.ended = new Promise(resolve => {
			this.#tell = resolve;
		});
		this.#timer = setInterval(() => void this.#look(), lookEveryMs);
		this.#timer.unref();
	}

	async end(why = wasEnded()): Promise<void> {
		clearInterval(this.#timer);
		if (this.#isEnding) return;
		this.#isEnding = true;
		const {driver, record, place, access, mount, work} = this.#input;
		await unmountPlugged(access, mount.target, this.#guestMount);
		// Ending it is no part of the work that made it.
		const calm: WorkContext = {...work, signal: new AbortController().signal};
		// What the guest does not let go of is told by who needs it out.
		await driver.unplug?.(record, place, mount, calm).catch(() => {});
		this.#tell(why);
	}

	/** The device stays, and ends with the machine. */
	kill(): void {
		clearInterval(this.#timer);
		this.#tell(wasEnded());
	}

	async #look(): Promise<void> {
		const {driver, record, place, mount} = this.#input;
		const problem = await driver.plugProblem?.(record, place, mount).catch(() => undefined);
		if (problem === undefined || this.#isEnding) return;
		// Programs that wait for it are let go, as far as that can be; then it is plugged in anew.
		await this.end(new DroverError('driver.failed', problem));
	}
}

function wasEnded(): DroverError {
	return new DroverError('operation.cancelled', 'The mount was ended.');
}
