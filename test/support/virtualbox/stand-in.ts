import {existsSync} from 'node:fs';
import {chmod, mkdtemp, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {execa} from 'execa';
import type {Behaviour} from './service/world.ts';

/**
 * A VBoxManage that answers as the real one does in its recordings, with a service behind it that also plays the states
 * of machines that run: delays, locks and lies included. It says nothing about what the real one does with machines that
 * run, of which there are no recordings.
 */
export type StandIn = {
	/** Absolute path of the program. */
	readonly program: string;
	readonly home: string;
	/** The arguments of every process that was started of it, in order. */
	calls(): Promise<string[]>;
	behave(behaviour: Behaviour): Promise<void>;
	/** Has the service started, for tests with time limits. */
	warm(): Promise<void>;
	/** The pid of the service, which is there while something asks or runs. */
	service(): Promise<number>;
	/** Ends the service and all machines. */
	close(): Promise<void>;
};

export async function standIn(behaviour: Behaviour = {}): Promise<StandIn> {
	const home = await mkdtemp(path.join(tmpdir(), 'vbox-'));
	const program = path.join(home, 'VBoxManage');
	const [client, service] = ['client.sh', 'service/main.ts'].map(file => fileURLToPath(new URL(file, import.meta.url)));
	const calls = path.join(home, 'calls');
	const head = `#!/bin/bash\nhome='${home}' node='${process.execPath}' service='${service}'\n`;
	await writeFile(program, `${head}${await readFile(client!, 'utf8')}`);
	await chmod(program, 0o755);
	const behave = async (next: Behaviour) => {
		const file = path.join(home, 'behaviour.json');
		await writeFile(`${file}.new`, JSON.stringify(next));
		await rename(`${file}.new`, file);
	};
	await behave(behaviour);
	return {
		program,
		warm: async () => void (await execa(program, ['list', 'vms'], {timeout: 60_000})),
		home,
		behave,
		calls: async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(line => line !== ''),
		service: async () => Number(await readFile(path.join(home, 'svc.pid'), 'utf8')),
		async close() {
			// What has just been started may not listen yet.
			if (existsSync(path.join(home, 'svc.lock')))
				await execa(program, ['stand-in-end'], {reject: false, timeout: 30_000});
			await rm(home, {recursive: true, force: true, maxRetries: 5});
		},
	};
}
