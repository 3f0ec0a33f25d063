import {type ChildProcess, spawn} from 'node:child_process';
import {libvirtEnvironment} from './connection.ts';
import {keyOfName} from './domains.ts';
import type {Virsh} from './virsh.ts';

/** `name`: `lifecycle`, `reboot` ...; `detail`: what libvirt says of it, `Stopped Shutdown`. */
export type LibvirtEvent = {readonly key: string; readonly name: string; readonly detail: string};
type Listener = (event: LibvirtEvent | 'lost') => void;

/** Reads a line of `virsh event`: `2026-...: event 'lifecycle' for domain 'drover-web-…': Stopped Shutdown`. */
export function parseEvent(line: string): LibvirtEvent | undefined {
	const match = /event '([\w-]+)' for domain '([^']*)'(?:: (.*))?$/.exec(line);
	const key = keyOfName(match?.[2] ?? '');
	return match && key !== undefined ? {key, name: match[1]!, detail: match[3] ?? ''} : undefined;
}

const longestLine = 64 * 1024;
/** virsh needs some 30 ms from its start until it listens. */
const beginMs = 300;
/** So long a listener lives at most: one that a killed daemon has left behind must not stay for ever. */
const lifeSeconds = '900';
/** Pauses before listening again, milliseconds; the last one is repeated. */
const pauses = [100, 500, 1000, 2000, 5000];

/** One process listens for all instances, for as long as somebody wants to know. It is started again when it ends. */
export class Events {
	readonly #listeners = new Set<Listener>();
	#child: ChildProcess | undefined;
	#timer: NodeJS.Timeout | undefined;
	#failures = 0;
	/** When the process was started, milliseconds since the epoch; 0 while there is none. */
	#since = 0;

	listen(findVirsh: () => Promise<Virsh>, listener: Listener): {close(): void} {
		this.#listeners.add(listener);
		if (this.#listeners.size === 1) this.#begin(findVirsh);
		return {
			close: () => {
				this.#listeners.delete(listener);
				if (this.#listeners.size > 0) return;
				clearTimeout(this.#timer);
				this.#child?.kill('SIGTERM');
				this.#child = undefined;
				this.#since = 0;
			},
		};
	}

	/** Waits until what happens from now on is told: virsh says nothing when it has begun to listen. */
	async ready(): Promise<void> {
		const deadline = Date.now() + 3000;
		while (Date.now() < deadline && (this.#since === 0 || Date.now() - this.#since < beginMs)) {
			await new Promise(resolve => setTimeout(resolve, 20));
		}
	}

	#begin(findVirsh: () => Promise<Virsh>): void {
		const again = () => {
			if (this.#listeners.size === 0) return;
			const pause = pauses[Math.min(this.#failures++, pauses.length - 1)]!;
			this.#timer = setTimeout(() => this.#begin(findVirsh), pause);
			this.#timer.unref();
		};
		findVirsh().then(virsh => {
			if (this.#listeners.size === 0 || this.#child) return;
			this.#follow(virsh, again);
		}, again);
	}

	/** Not through execa, whose worth is in waiting for an end: this one has none. */
	#follow(virsh: Virsh, again: () => void): void {
		const child = spawn(
			virsh.program,
			['-q', '-c', virsh.uri, 'event', '--all', '--loop', '--timestamp', '--timeout', lifeSeconds],
			{
				env: libvirtEnvironment(),
				stdio: ['ignore', 'pipe', 'ignore'],
			},
		);
		this.#child = child;
		this.#since = Date.now();
		// It must not keep the process from ending, and it ends with it: what it writes then has no reader.
		child.unref();
		(child.stdout as unknown as {unref?(): void}).unref?.();
		let rest = '';
		child.stdout.setEncoding('utf8');
		child.stdout.on('error', () => {});
		child.stdout.on('data', (text: string) => {
			this.#failures = 0;
			const lines = (rest + text).split('\n');
			rest = (lines.pop() ?? '').slice(-longestLine);
			for (const line of lines) {
				const event = parseEvent(line);
				if (event) this.#tell(event);
			}
		});
		let hasEnded = false;
		const ended = () => {
			if (hasEnded) return;
			hasEnded = true;
			if (this.#child !== child) return;
			this.#child = undefined;
			this.#since = 0;
			// libvirt was restarted, perhaps: what has happened meanwhile has to be looked at.
			this.#tell('lost');
			again();
		};
		child.once('error', ended);
		child.once('exit', ended);
	}

	#tell(event: LibvirtEvent | 'lost'): void {
		for (const listener of [...this.#listeners]) listener(event);
	}
}
