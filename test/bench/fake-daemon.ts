// Stands for the daemon: `node fake-daemon.ts COUNT` serves COUNT running instances, which exist nowhere else, on the
// socket of DROVER_HOME until it is sent SIGTERM. Says "ready" when clients may come.
import {userInfo} from 'node:os';
import process from 'node:process';
import {mebibyte} from '../../source/model/sizes.ts';
import {serve} from '../../source/protocol/server.ts';
import {locate, makePrivate} from '../../source/state/paths.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';

const count = Number(process.argv[2] ?? '10');
const paths = locate();
for (const directory of [paths.data, paths.runtime]) makePrivate(directory);
const instances = Array.from({length: count}, (_, index) =>
	fakeInstance(`vm-${String(index + 1).padStart(5, '0')}`, 'Running', {
		id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
		memory: 256 * mebibyte,
		ipv4: [`10.0.${index >> 8}.${index & 255}`],
		createdAt: '2026-01-01T00:00:00.000Z',
		runningSince: Date.now() - 3 * 60 * 60 * 1000 - 30_000,
		observedAt: Date.now(),
	}),
);
const server = await serve(new FakeEngine({instances}), paths.socket, {
	user: userInfo().username,
	handover: () => false,
	log() {},
});
process.once('SIGTERM', () => {
	void server.close().then(() => process.exit(0));
});
process.stdout.write('ready\n');
