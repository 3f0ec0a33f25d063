import type {InstanceRecord} from '../../model/instance.ts';
import type {DriverEvent, InstancePlace} from '../driver.ts';
import type {Shared} from './context.ts';
import {readSettings} from './files.ts';
import {findProcess, isProcessOf} from './process.ts';

/** Asking the system whether a process lives costs next to nothing, and starts none. */
const lookEveryMs = 400;
/** VirtualBox itself needs a moment to notice the end of a machine's process: then it is told once more. */
const againMs = 2000;

/**
 * Tells when a machine's process ends. VBoxManage has no events; whatever else happens is seen when all are looked at
 * next. What drover itself is just doing to the instance is not told.
 */
export function watch(
	{lanes}: Pick<Shared, 'lanes'>,
	record: InstanceRecord,
	place: InstancePlace,
	listener: (event: DriverEvent) => void,
): {close(): void} {
	const {id} = record;
	const timers = new Set<NodeJS.Timeout>();
	let isClosed = false;
	let isLooking = false;
	let pid: number | undefined;
	// It is called for what runs: a process that ended before we could look has to be told as well.
	let wasThere = true;
	const tell = () => {
		if (!isClosed && !lanes.isBusy(id)) listener({id, what: 'ended'});
	};
	const tellAgain = () => {
		const timer = setTimeout(() => {
			timers.delete(timer);
			tell();
		}, againMs);
		timer.unref();
		timers.add(timer);
	};
	const look = async () => {
		if (isLooking || isClosed) return;
		isLooking = true;
		try {
			if (pid !== undefined && (await isProcessOf(pid, id))) return;
			const settings = await readSettings(record, place);
			pid = settings === undefined ? undefined : (await findProcess(settings.directory, id))?.pid;
			if (pid === undefined && wasThere) {
				tell();
				tellAgain();
			}
			wasThere = pid !== undefined;
		} finally {
			isLooking = false;
		}
	};
	const interval = setInterval(() => void look().catch(() => {}), lookEveryMs);
	interval.unref();
	void look().catch(() => {});
	return {
		close() {
			isClosed = true;
			clearInterval(interval);
			for (const timer of timers) clearTimeout(timer);
		},
	};
}
