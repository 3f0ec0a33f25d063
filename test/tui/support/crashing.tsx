// The dashboard with an engine that makes it fail: `crashing.js render|handler|rejection`, then the key `i`.
import process from 'node:process';
import {runDashboard} from '../../../source/components/run-dashboard.tsx';
import type {Engine} from '../../../source/engine/engine.ts';
import {FakeEngine, fakeInstance} from '../../support/fake-engine.ts';

const how = process.argv[2] ?? process.env['CRASH'];
const engine = new FakeEngine({instances: [fakeInstance('vm-01')]});
const failing = Object.assign(engine, {
	refresh: async () => {
		if (how === 'render') engine.put({...fakeInstance('vm-01'), image: undefined as never, cpus: 2});
		if (how === 'handler') {
			setTimeout(() => {
				throw new Error('thrown where nobody catches');
			}, 0);
		}
		if (how === 'rejection') void Promise.reject(new Error('rejected where nobody waits'));
	},
}) as Engine;
process.exitCode = await runDashboard({
	connect: async () => ({engine: failing, closed: new Promise(() => {})}),
	user: 'kim',
});
