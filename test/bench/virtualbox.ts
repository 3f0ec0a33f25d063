import process from 'node:process';
import {execa} from 'execa';
import {createVirtualBoxDriver} from '../../source/drivers/virtualbox/driver.ts';
import {makeHome, removeHome} from '../contract/subject.ts';
import {furnish} from '../support/virtualbox/furnish.ts';
import {standIn} from '../support/virtualbox/stand-in.ts';
import {type Figure, limited, median} from './figures.ts';

const rounds = 20;

/** Looking at machines through VBoxManage's stand-in: how many processes it takes, and how long, for one and for fifty. */
export async function virtualbox(): Promise<Figure[]> {
	const figures: Figure[] = [];
	for (const count of [1, 50]) {
		const paths = await makeHome();
		const stand = await standIn();
		try {
			const machines = await furnish(
				stand,
				paths,
				Array.from({length: count}, (_, index) => (index % 5 === 4 ? 'poweroff' : 'running')),
			);
			await stand.warm();
			const driver = createVirtualBoxDriver({
				paths,
				program: stand.program,
				host: {platform: 'darwin', architecture: 'x64', environment: process.env},
			});
			await driver.health();
			const look = () => Promise.all(machines.map(({record, place}) => driver.observe(record, place)));
			await look();
			const [times, bare, starts]: [number[], number[], number[]] = [[], [], []];
			for (let round = 0; round < rounds; round++) {
				const before = driver.starts();
				const begun = performance.now();
				await look();
				times.push(performance.now() - begun);
				starts.push(driver.starts() - before);
				const alone = performance.now();
				await execa(stand.program, ['list', 'vms']);
				bare.push(performance.now() - alone);
			}
			const what = `${count} machine${count === 1 ? '' : 's'}`;
			figures.push(
				limited(
					`processes to look at ${what}`,
					Math.max(...starts),
					3,
					'',
					`most of ${rounds}; on VBoxManage’s stand-in`,
				),
				{
					what: `looking at ${what}`,
					value: `${(median(times) / median(bare)).toFixed(1)}x`,
					note: `of one bare list, ${median(bare).toFixed(0)} ms; the long list is waited for half a second at most`,
				},
			);
		} finally {
			await stand.close();
			await removeHome(paths);
		}
	}
	return figures;
}
