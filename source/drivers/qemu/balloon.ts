import {DroverError} from '../../model/errors.ts';
import type {Balloon} from '../machine/balloon.ts';
import {refuseOther} from '../machine/context.ts';
import {asObject} from '../machine/json.ts';
import {isBytes} from '../machine/metrics.ts';
import type {Job} from './context.ts';
import {monitorError} from './monitors.ts';

const timeoutMs = 5000;

/** By QEMU's monitor. Source: `query-memory-size-summary`, `query-balloon` and `balloon` of the QMP reference. */
export function balloonOf(job: Job): Balloon {
	const ask = async (command: string, parameters?: Readonly<Record<string, unknown>>) => {
		const found = await job.machines.find(job.record.id, job.files);
		if (found) refuseOther(found, 'qemu');
		return job.monitors.ask(job.files, command, {timeoutMs}, parameters).catch((error: unknown) => {
			throw monitorError(error, 'changing the memory');
		});
	};
	return {
		async look() {
			const [size, balloon] = [await ask('query-memory-size-summary'), await ask('query-balloon')];
			const {'base-memory': built} = asObject(size);
			const {actual} = asObject(balloon);
			if (isBytes(built) && isBytes(actual)) return {built, actual};
			throw new DroverError('driver.failed', 'QEMU does not tell how much memory the guest has.');
		},
		async set(bytes) {
			await ask('balloon', {value: bytes});
		},
	};
}
