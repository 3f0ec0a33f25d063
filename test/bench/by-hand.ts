import {execFile, spawn} from 'node:child_process';
import {closeSync, fsyncSync, openSync, readFileSync, readlinkSync, rmSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import {fileNames} from '../../source/drivers/machine/files.ts';
import {asObject} from '../../source/drivers/machine/json.ts';
import {connectQmp, type Qmp} from '../../source/drivers/qemu/qmp.ts';
import {waitForSsh} from '../../source/guest/answer.ts';

/** A machine that is suspended and resumed with the bare QMP commands: the yardstick for what drover adds. */
export class ByHand {
	readonly #arguments: readonly string[];
	readonly #directory: string;
	readonly #monitor: string;
	readonly #ssh: {readonly host: string; readonly port: number};
	#pid: number;
	/** What is known of its disk. */
	#disk = '';

	/** @param pid a running QEMU whose monitor nobody uses */
	constructor(pid: number, ssh: {host: string; port: number}) {
		this.#pid = pid;
		this.#ssh = ssh;
		const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
		const incoming = line.indexOf('-incoming');
		this.#arguments = incoming === -1 ? line : line.toSpliced(incoming, 2);
		this.#directory = readlinkSync(`/proc/${pid}/cwd`);
		const monitor = line.map(part => /^socket,id=monitor0,path=([^,]*)/.exec(part)?.[1]).find(Boolean);
		if (monitor === undefined) throw new Error('the machine has no monitor that is known');
		this.#monitor = monitor;
	}

	/** stop, migrate to a file, sync, quit. @returns milliseconds until the process has gone */
	async suspend(): Promise<number> {
		const began = performance.now();
		const monitor = await connectQmp(this.#monitor);
		await monitor.execute('migrate-set-parameters', {'max-bandwidth': 10 ** 12});
		await monitor.execute('stop');
		await monitor.execute('migrate', {uri: 'exec:cat > by-hand.state'});
		await until(async () => asObject(await monitor.execute('query-migrate'))['status'] === 'completed');
		const file = openSync(path.join(this.#directory, 'by-hand.state'), 'r+');
		fsyncSync(file);
		closeSync(file);
		await monitor.execute('quit');
		monitor.close();
		await until(async () => !this.#isThere());
		return performance.now() - began;
	}

	/** Starts QEMU, loads the file, lets it run on. @returns milliseconds until the guest answers on SSH */
	async resume(): Promise<number> {
		const began = performance.now();
		const [file, ...rest] = this.#arguments;
		const child = spawn(file!, [...rest, '-incoming', 'defer'], {
			cwd: this.#directory,
			detached: true,
			stdio: 'ignore',
		});
		this.#pid = child.pid!;
		const monitor = await this.#connect();
		await monitor.execute('migrate-incoming', {uri: 'exec:cat by-hand.state'});
		await until(async () => asObject(await monitor.execute('query-status'))['status'] === 'paused');
		await monitor.execute('cont');
		monitor.close();
		await waitForSsh({...this.#ssh, timeoutMs: 60_000, signal: new AbortController().signal});
		return performance.now() - began;
	}

	/** Once it was {@link cut}: a new disk over the same image, and QEMU. @returns milliseconds until the guest answers on SSH */
	async launch(): Promise<number> {
		const {
			'backing-filename': image,
			'backing-filename-format': format,
			'virtual-size': size,
		} = asObject(JSON.parse(this.#disk));
		rmSync(path.join(this.#directory, fileNames.disk));
		const began = performance.now();
		const line = [
			'create',
			'-q',
			'-f',
			'qcow2',
			'-F',
			String(format),
			'-b',
			String(image),
			fileNames.disk,
			String(size),
		];
		await this.#image(...line);
		const [file, ...rest] = this.#arguments;
		const child = spawn(file!, rest, {cwd: this.#directory, detached: true, stdio: 'ignore'});
		this.#pid = child.pid!;
		await waitForSsh({...this.#ssh, timeoutMs: 120_000, signal: new AbortController().signal});
		return performance.now() - began;
	}

	/** Ends the machine and waits until it is gone, and with it what keeps others from its disk. */
	async cut(): Promise<void> {
		this.end();
		await until(async () => !this.#isThere());
		// Its files are closed a moment after it has no command line any more.
		await until(async () => {
			this.#disk = await this.#image('info', '--output=json', fileNames.disk).catch(() => '');
			return this.#disk !== '';
		});
	}

	async #image(...line: readonly string[]): Promise<string> {
		return (await promisify(execFile)('qemu-img', [...line], {cwd: this.#directory})).stdout;
	}

	/** Ends the machine, whatever state it is in. */
	end(): void {
		if (this.#isThere()) process.kill(this.#pid, 'SIGKILL');
	}

	async #connect(): Promise<Qmp> {
		for (let attempt = 0; ; attempt++) {
			try {
				return await connectQmp(this.#monitor);
			} catch (error) {
				if (attempt > 1000) throw error;
				await sleep(5);
			}
		}
	}

	/** A process that has ended but was not yet asked for by its parent has an empty command line. */
	#isThere(): boolean {
		try {
			return isMachine(readFileSync(`/proc/${this.#pid}/cmdline`, 'utf8'));
		} catch {
			return false;
		}
	}
}

/** Whether a command line, as `/proc` has it, is QEMU's. */
export function isMachine(commandLine: string): boolean {
	return path.basename(commandLine.split('\0', 1)[0]!).startsWith('qemu-system');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
	const deadline = performance.now() + 60_000;
	while (!(await condition())) {
		if (performance.now() > deadline) throw new Error('a step by hand did not end within a minute');
		await sleep(2);
	}
}
