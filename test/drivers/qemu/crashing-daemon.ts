import process from 'node:process';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import type {InstanceRecord} from '../../../source/model/instance.ts';

/** Suspends an instance, and stops for ever where the record would be written: there the test kills it. */
const {record, place, cache} = JSON.parse(process.argv[2]!) as {
	record: InstanceRecord;
	place: {directory: string; sockets: string};
	cache: string;
};
await createQemuDriver({paths: {cache}}).suspend(
	record,
	place,
	{by: 'user'},
	{
		signal: new AbortController().signal,
		progress() {},
		log() {},
		update() {
			process.stdout.write('here\n');
			// Keeps the process, with its connections, as it is.
			return new Promise(() => setInterval(() => {}, 60_000));
		},
	},
);
