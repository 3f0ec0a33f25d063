import {setTimeout as sleep} from 'node:timers/promises';
import {LxdClient} from '../../source/drivers/lxd/client.ts';
import {createLxdDriver} from '../../source/drivers/lxd/driver.ts';
import {perform} from '../../source/drivers/lxd/operation.ts';
import {createEngine} from '../../source/engine/create-engine.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import {openSettings} from '../../source/state/settings.ts';
import {makeHome, removeHome} from '../contract/subject.ts';
import {ownLxd} from '../support/lxd.ts';
import {copyByLink, imageCache, microRoot} from '../support/micro-image.ts';
import {type Figure, limited, median, milliseconds, quantile} from './figures.ts';

const count = 50;
const quietMs = 60_000;

/** Fifty running containers: what a listing takes, what is asked of the server while nothing happens, and what when something does. */
export async function lxd(): Promise<Figure[]> {
	const own = await ownLxd();
	if (typeof own === 'string') return [{what: 'lxd', value: 'not measured', note: own}];
	const paths = await makeHome();
	await microRoot();
	copyByLink(`${imageCache}/images`, `${paths.cache}/images`);
	const settings = await openSettings(paths.config);
	settings.set('local.driver', 'lxd');
	settings.set('local.lxd.type', 'container');
	let driver: ReturnType<typeof createLxdDriver> | undefined;
	const engine = await createEngine(paths, {
		loadDriver: async name => {
			if (name !== 'lxd') return undefined;
			driver = createLxdDriver({
				paths,
				setting: key => settings.get(key) ?? (key === 'local.lxd.project' ? 'drover' : ''),
				environment: own.environment,
			});
			return driver;
		},
	});
	const client = new LxdClient({kind: 'socket', path: `${own.directory}/unix.socket`});
	try {
		const names = Array.from({length: count}, (_, index) => `m${String(index).padStart(2, '0')}`);
		const begun = performance.now();
		for (let at = 0; at < count; at += 10) {
			await Promise.all(
				names.slice(at, at + 10).map(async name => {
					const {id} = await engine.launch({name, memory: 128 * mebibyte, by: 'bench'});
					const {error} = await engine.wait({id});
					if (error) throw new Error(error.message);
				}),
			);
		}
		const launching = performance.now() - begun;
		const times: number[] = [];
		const raw: number[] = [];
		for (let round = 0; round < 20; round++) {
			const start = performance.now();
			await engine.refresh();
			times.push(performance.now() - start);
			const alone = performance.now();
			await client.get('/1.0/instances', {recursion: 1, project: 'drover'});
			raw.push(performance.now() - alone);
		}
		const before = driver!.traffic();
		await sleep(quietMs);
		const quiet = driver!.traffic();
		const heard: number[] = [];
		let asked = 0;
		for (const name of names.slice(0, 10)) {
			const changed = new Promise<number>(resolve => {
				const subscription = engine.subscribe(event => {
					if (event.type !== 'instances' || !event.changed.some(each => each.name === name && each.state === 'Stopped'))
						return;
					subscription.close();
					resolve(performance.now());
				});
			});
			const at = driver!.traffic().requests;
			await perform(client, 'PUT', `/1.0/instances/${name}/state`, {
				query: {project: 'drover'},
				body: {action: 'stop', force: true},
			});
			const done = performance.now();
			heard.push((await changed) - done);
			asked += driver!.traffic().requests - at;
		}
		return [
			{
				what: `${count} containers launched, ten at a time`,
				value: milliseconds(launching),
				note: 'from the cached image to SSH',
			},
			limited(
				`looking at ${count} running containers`,
				median(times),
				20,
				'ms',
				`median of 20; the server's bare listing ${median(raw).toFixed(1)} ms`,
			),
			{
				what: 'requests a minute while nothing happens',
				value: String(quiet.requests - before.requests),
				note: `${quiet.listings - before.listings} listings of all ${count}, none for each`,
			},
			{
				what: 'requests for a container that stops',
				value: (asked / heard.length).toFixed(1),
				note: 'by event, mean of ten',
			},
			limited(
				'a stop by others is shown after',
				quantile(heard, 0.9),
				1000,
				'ms',
				'from the end of the server’s operation; nine of ten',
			),
		];
	} finally {
		await engine.close();
		client.close();
		await own.close();
		await removeHome(paths);
	}
}
