import {type Inside, isBytes, toldMemory} from '../machine/metrics.ts';
import {keyOfName} from './domains.ts';
import type {Virsh} from './virsh.ts';

/** What a sample may take in all is a second. */
const answerTimeoutMs = 900;

/** Asks libvirt once for all who want to know at the same time. */
export class Stats {
	#next: Promise<ReadonlyMap<string, Inside>> | undefined;

	/** By the first eight digits of instances' ids. @throws VirshError */
	async all(virsh: Virsh): Promise<ReadonlyMap<string, Inside>> {
		this.#next ??= (async () => {
			// Whoever comes before the question is asked is answered by it; who comes later, by another.
			await new Promise(resolve => setTimeout(resolve, 5));
			this.#next = undefined;
			// A machine that libvirt is just saving is not waited for.
			const args = ['domstats', '--balloon', '--block', '--raw', '--list-active', '--nowait'];
			return parseStats(await virsh.ask(args, {timeoutMs: answerTimeoutMs}), Date.now());
		})();
		return this.#next;
	}
}

/** What `domstats --balloon --block --raw` prints. Source: libvirt, `docs/manpages/virsh.rst`, domstats. */
export function parseStats(text: string, now: number): Map<string, Inside> {
	const all = new Map<string, Inside>();
	for (const part of text.split(/^Domain: /m).slice(1)) {
		const key = keyOfName(/^'([^'\n]*)'/.exec(part)?.[1] ?? '');
		if (key === undefined) continue;
		const values = new Map(
			part.split('\n').flatMap(line => {
				const match = /^\s*([\w.-]{1,100})=(.*)$/.exec(line);
				return match ? [[match[1]!, match[2]!] as const] : [];
			}),
		);
		const number = (name: string) => {
			const value = values.get(name) ?? '';
			return /^\d{1,16}$/.test(value) ? Number(value) : undefined;
		};
		const kibibytes = (name: string) => {
			const value = number(name);
			return value === undefined ? undefined : value * 1024;
		};
		const memory = toldMemory(
			kibibytes('balloon.usable'),
			kibibytes('balloon.available'),
			number('balloon.last-update'),
			now,
		);
		const index = [...values].find(([name, value]) => /^block\.\d+\.name$/.test(name) && value === 'vda')?.[0];
		const block = index?.replace(/name$/, '') ?? 'block.none.';
		const [read, written] = [number(`${block}rd.bytes`), number(`${block}wr.bytes`)];
		all.set(key, {
			...(memory ? {memory} : {}),
			...(isBytes(read) && isBytes(written) ? {disk: {read, written}} : {}),
		});
	}
	return all;
}
