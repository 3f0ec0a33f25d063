import type {InstanceRecord} from '../../model/instance.ts';
import type {DriverEvent, InstancePlace} from '../driver.ts';
import {filesOf} from '../machine/files.ts';
import type {MachineProcess} from '../machine/process.ts';
import type {Shared} from './context.ts';
import {keyOf} from './domains.ts';
import type {LibvirtEvent} from './events.ts';

/** libvirt tells of a killed process only when it has cleared up after it; a look at `/proc` costs next to nothing. */
const lookEveryMs = 400;

/** What happened, in words; `undefined`: nothing that one would have to look at. */
export function wordsOf({name, detail}: LibvirtEvent): string | undefined {
	if (name === 'reboot') return 'rebooted';
	if (name === 'control-error') return 'lost sight of';
	if (name === 'io-error' || name === 'io-error-reason') return 'has trouble with its disk';
	if (name !== 'lifecycle') return undefined;
	switch (detail.split(' ')[0]) {
		case 'Stopped':
			return detail.endsWith('Failed') || detail.endsWith('Crashed') ? 'ended' : 'powered off';
		case 'Shutdown':
			return 'powered off';
		case 'Suspended':
			return 'paused';
		case 'Resumed':
			return 'goes on';
		case 'Crashed':
			return 'crashed';
		default:
			return undefined;
	}
}

/** Listens for what happens to an instance. What drover itself is just doing to the instance is not told. */
export function watch(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	listener: (event: DriverEvent) => void,
): {close(): void} {
	const {id} = record;
	const files = filesOf(place);
	let isClosed = false;
	let isLooking = false;
	let found: MachineProcess | undefined;
	// It is called for what runs: a process that ended before we could look has to be told as well.
	let wasThere = true;
	const tell = (what: string) => {
		if (!isClosed && !shared.lanes.isBusy(id)) listener({id, what});
	};
	const look = async () => {
		if (isLooking) return;
		isLooking = true;
		try {
			if (found && (await shared.machines.isAlive(found, id))) return;
			found = await shared.machines.find(id, files);
			if (!found && wasThere) tell('ended');
			wasThere = found !== undefined;
		} finally {
			isLooking = false;
		}
	};
	const timer = setInterval(() => void look().catch(() => {}), lookEveryMs);
	timer.unref();
	const subscription = shared.events.listen(
		async () => (await shared.libvirt.require()).virsh,
		event => {
			if (event === 'lost') return tell('lost sight of');
			const what = event.key === keyOf(record) ? wordsOf(event) : undefined;
			if (what !== undefined) tell(what);
		},
	);
	void look().catch(() => {});
	return {
		close() {
			isClosed = true;
			clearInterval(timer);
			subscription.close();
		},
	};
}
