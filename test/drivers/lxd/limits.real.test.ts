import {expect, test} from 'vitest';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {ownIncus} from '../../support/incus.ts';
import {microRoot} from '../../support/micro-image.ts';

const server = await ownIncus({limits: false});
const why = typeof server === 'string' ? ` (${server})` : '';

test.skipIf(why !== '')(
	`where the host has no control groups for limits, nothing is claimed of them${why}`,
	async () => {
		const own = server as Exclude<typeof server, string>;
		const paths = await makeHome();
		const settings: Readonly<Record<string, string>> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
		const driver = createLxdDriver({paths, setting: key => settings[key] ?? '', environment: own.environment});
		try {
			const web = await Subject.make(paths, await microRoot(), 'web', 'lxd');
			await web.create(driver);
			await web.start(driver);
			await web.answer(driver);
			expect((await driver.health()).summary).toMatch(/no limits of processors and memory/);
			const {notes} = await driver.inspect(web.record, web.place);
			expect(notes).toContainEqual(expect.stringMatching(/control groups for processors and memory/));
			const sample = (await driver.metrics!(web.record, web.place))!;
			expect(sample).toMatchObject({received: expect.any(Number), processes: expect.any(Number)});
			expect(sample).not.toHaveProperty('cpuSeconds');
			expect(sample).not.toHaveProperty('memoryUsed');
			const facts = await driver.guestFacts(web.record, web.place, new AbortController().signal);
			expect(facts.release).toBeTruthy();
			expect(facts).not.toHaveProperty('memory');
			await web.stop(driver);
			expect(await web.power(driver)).toBe('off');
			await driver.destroy(web.record, web.place, web.work());
		} finally {
			driver.close?.();
			await removeHome(paths);
			await own.close();
		}
	},
);
