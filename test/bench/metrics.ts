import {randomBytes, randomUUID} from 'node:crypto';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {execa} from 'execa';
import type {WorkContext} from '../../source/drivers/driver.ts';
import {filesOf} from '../../source/drivers/machine/files.ts';
import {createQemuDriver} from '../../source/drivers/qemu/driver.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import {instanceDirectory, makePrivate, socketDirectory} from '../../source/state/paths.ts';
import {changeRecord} from '../../source/state/records.ts';
import {makeHome, removeHome} from '../contract/subject.ts';
import {type Figure, limited, median, milliseconds} from './figures.ts';

const count = 40;
/** As the dashboard's table asks. */
const everyMs = 5000;
const rounds = 8;

/**
 * Forty machines of real QEMU that run their firmware and have nothing to boot from: what asking all of them what they
 * use costs the process that asks, which is this one and otherwise the daemon.
 */
export async function metrics(): Promise<Figure[]> {
	const paths = await makeHome();
	const driver = createQemuDriver({paths});
	const work: WorkContext = {
		signal: new AbortController().signal,
		progress: () => {},
		log: () => {},
		update: () => Promise.reject(new Error('it has no record')),
	};
	const machines = Array.from({length: count}, (_, index) => {
		let record: InstanceRecord = {
			schema: 1,
			id: randomUUID(),
			name: `hollow-${index}`,
			scope: 'qemu',
			createdAt: new Date().toISOString(),
			createdBy: 'bench',
			phase: 'ready',
			image: {query: 'none', release: 'none', os: 'none', hash: ''},
			hardware: {
				arch: 'x86_64',
				cpus: 1,
				memory: 64 * mebibyte,
				disk: 64 * mebibyte,
				mac: `52:54:00:${randomBytes(3).toString('hex').match(/../g)!.join(':')}`,
			},
			ssh: {user: 'nobody', hostKey: ''},
			desired: 'running',
		};
		const place = {
			directory: instanceDirectory(paths, 'qemu', record.name),
			sockets: socketDirectory(paths, record.id),
		};
		const update: WorkContext['update'] = async change => {
			record = changeRecord(record, change);
			return record;
		};
		return {place, work: {...work, update}, record: () => record};
	});
	const watches: Array<{close(): void}> = [];
	try {
		for (const {place, record, work: own} of machines) {
			makePrivate(place.directory);
			const {disk, seed} = filesOf(place);
			await execa('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '64M']);
			await execa('qemu-img', ['create', '-q', '-f', 'raw', seed, '1M']);
			await driver.start(record(), place, own);
			watches.push(driver.watch(record(), place, () => {}));
		}
		const sample = () => Promise.all(machines.map(({place, record}) => driver.metrics!(record(), place)));
		await sleep(3000);
		const idle = await percentOf(() => sleep(everyMs * 2));
		const took: number[] = [];
		let answered = 0;
		const busy = await percentOf(async () => {
			for (let round = 0; round < rounds; round++) {
				const begun = performance.now();
				const samples = await sample();
				took.push(performance.now() - begun);
				answered = samples.filter(each => each?.diskRead !== undefined).length;
				// What goes over the socket.
				JSON.stringify(samples);
				await sleep(Math.max(0, everyMs - (performance.now() - begun)));
			}
		});
		return [
			limited(
				`asking ${count} running machines what they use, every ${everyMs / 1000} s`,
				busy - idle,
				3,
				'% of a core',
				`${answered} answered, ${milliseconds(median(took))} a round; the process alone ${idle.toFixed(2)} %`,
			),
		];
	} finally {
		for (const watch of watches) watch.close();
		await Promise.all(machines.map(({place, record, work: own}) => driver.destroy(record(), place, own)));
		await removeHome(paths);
	}
}

/** Processor time of this process while something is done, percent of one processor. */
async function percentOf(act: () => Promise<unknown>): Promise<number> {
	const begun = performance.now();
	const before = process.cpuUsage();
	await act();
	const {user, system} = process.cpuUsage(before);
	return (user + system) / 10 / (performance.now() - begun);
}
