import {existsSync} from 'node:fs';
import {chmod, mkdtemp, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
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
	/** The pid of the service, which is there while something asks or runs. */
	service(): Promise<number>;
	/** Ends the service and all machines. */
	close(): Promise<void>;
};

export async function standIn(behaviour: Behaviour = {}): Promise<StandIn> {
	const home = await mkdtemp(path.join(tmpdir(), 'vbox-'));
	const program = path.join(home, 'VBoxManage');
	const client = fileURLToPath(new URL('client.ts', import.meta.url));
	const calls = path.join(home, 'calls');
	await writeFile(
		program,
		`#!/bin/sh\necho "$*" >> '${calls}'\nVBOX_STAND_IN='${home}' exec '${process.execPath}' '${client}' "$@"\n`,
	);
	await chmod(program, 0o755);
	const behave = async (next: Behaviour) => {
		const file = path.join(home, 'behaviour.json');
		await writeFile(`${file}.new`, JSON.stringify(next));
		await rename(`${file}.new`, file);
	};
	await behave(behaviour);
	return {
		program,
		home,
		behave,
		calls: async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(line => line !== ''),
		service: async () => Number(await readFile(path.join(home, 'svc.pid'), 'utf8')),
		async close() {
			const socket = path.join(home, 'svc.sock');
			if (existsSync(socket)) {
				await new Promise<void>(resolve => {
					const connection = connect(socket, () => connection.write('["stand-in-end"]\n'));
					connection.on('error', () => resolve());
					connection.on('close', () => resolve());
				});
			}
			await rm(home, {recursive: true, force: true, maxRetries: 5});
		},
	};
}
