import {DroverError} from '../../../model/errors.ts';
import type {GuestMount} from '../../../model/mount.ts';
import type {InstancePlace} from '../../driver.ts';
import {asObject} from '../../machine/json.ts';
import type {QmpOptions} from '../qmp.ts';
import {type Qmp, QmpError} from '../qmp.ts';
import {until} from '../waiting.ts';
import {channelOf, isMountId} from './native-mount.ts';
import {endServing} from './serving.ts';

/** Milliseconds a guest may take to let go of a device: it needs a third of a second, a busy one under emulation more. */
const releaseMs = 10_000;

/** Asks QEMU one thing, by whatever connection. */
export type Ask = (
	command: string,
	parameters?: Readonly<Record<string, unknown>>,
	options?: QmpOptions,
) => Promise<unknown>;

/** The mounts that are plugged into a machine, by the ids of their devices. */
export async function pluggedIn(ask: Ask): Promise<ReadonlyMap<string, GuestMount['fileSystem']>> {
	const answer = await ask('qom-list', {path: '/machine/peripheral'});
	const devices = Array.isArray(answer) ? answer.map(asObject) : [];
	return new Map(
		devices.flatMap(({name, type}) =>
			typeof name === 'string' && isMountId(name)
				? [[name, String(type).includes('vhost-user-fs') ? 'virtiofs' : '9p'] as const]
				: [],
		),
	);
}

/** Whether QEMU's connection to what serves a virtiofs device is there. */
export async function isConnected(ask: Ask, id: string): Promise<boolean> {
	const answer = await ask('query-chardev');
	const channel = (Array.isArray(answer) ? answer.map(asObject) : []).find(({label}) => label === channelOf(id));
	return channel !== undefined && !String(channel['filename']).startsWith('disconnected:');
}

/** The slot that a 9p device is plugged into. */
export async function slotOf(ask: Ask, id: string): Promise<string> {
	return String(await ask('qom-get', {path: `/machine/peripheral/${id}`, property: 'fsdev'}));
}

/**
 * Takes a device out, as soon as the guest lets go of it, with all that served it.
 * @returns whether it is out. If not, the guest may still let go of it later.
 */
export async function release(
	monitor: Qmp,
	place: InstancePlace,
	id: string,
	{signal, timeoutMs = releaseMs}: {signal: AbortSignal; timeoutMs?: number},
): Promise<boolean> {
	const isThere = async () => (await pluggedIn(monitor.execute.bind(monitor))).has(id);
	await monitor.execute('device_del', {id}).catch(async error => {
		// Asked a second time, it refuses while the guest is at it.
		const isUnderWay = error instanceof QmpError && /already in the process/i.test(error.message);
		if (!isUnderWay && (await isThere())) throw error;
	});
	const isOut = await until(monitor, async () => !(await isThere()), {
		events: ['DEVICE_DELETED'],
		everyMs: 200,
		timeoutMs,
		signal,
	});
	if (isOut) await clear(monitor, place, id);
	return isOut;
}

/** Takes away all that stands behind a device that is not there. What is not there is no error. */
export async function clear(monitor: Qmp, place: InstancePlace, id: string): Promise<void> {
	// The connection is in use until the last of the device is gone, which is a moment after its end was told.
	for (let attempt = 0; attempt < 50; attempt++) {
		try {
			await monitor.execute('chardev-remove', {id: channelOf(id)});
			break;
		} catch (error) {
			if (!(error instanceof QmpError) || !/busy/i.test(error.message)) break;
			await new Promise(resolve => setTimeout(resolve, 20));
		}
	}
	await endServing(place, id);
}

/** What is in the way when a mount cannot be taken out. */
export function stillInUse(target: string, next = 'End what uses it in the guest and try again.'): DroverError {
	return new DroverError('instance.busy', `The guest does not let go of the native mount on ${target}`, {next});
}
