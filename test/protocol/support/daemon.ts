import process from 'node:process';
import {DroverError} from '../../../source/model/errors.ts';
import {type DaemonEngine, runDaemon} from '../../../source/protocol/daemon.ts';
import {locate} from '../../../source/state/paths.ts';
import {FakeEngine, fakeInstance} from '../../support/fake-engine.ts';

/*
 * A daemon as a process of its own, with an engine in memory. What is odd about it is said by `DROVER_TEST_DAEMON`:
 * `fails` and `dies` at its start, `busy` with an operation, `defect` at the next `refresh`, `clings` when told to close.
 */
const oddity = process.env.DROVER_TEST_DAEMON;

class Engine extends FakeEngine implements DaemonEngine {
	isIdle() {
		return oddity !== 'busy';
	}

	override async refresh() {
		if (oddity !== 'defect') return;
		setImmediate(() => {
			throw new Error('a defect');
		});
	}

	override async close() {
		if (oddity === 'clings') throw new Error('it clings');
	}
}

async function createEngine() {
	// As packages do that the real engine loads.
	for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
		process.once(signal, () => process.kill(process.pid, signal));
	}
	if (oddity === 'fails') {
		throw new DroverError('host.failed', 'The data cannot be read.', {next: 'Repair the disk.'});
	}
	if (oddity === 'dies') {
		console.error('out of memory');
		process.exit(7);
	}
	return new Engine({instances: [fakeInstance('web')]});
}

const paths = locate();
// As on Windows: the place of the socket is a file that names a pipe.
const asPipe = {...paths, socket: paths.socket.replace(/\.sock$/, '.pipe')};
await runDaemon(process.env.DROVER_TEST_PIPE ? asPipe : paths, {createEngine});
process.exit(0);
