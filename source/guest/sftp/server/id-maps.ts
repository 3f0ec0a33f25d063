import type {IdMap} from '../../../model/mount.ts';

/** Whom a guest is shown as the owner of what belongs to nobody it knows: `nobody`, `nogroup`. */
export const nobody = 65_534;
/** In a request to change owners: this one stays. */
const unchanged = 0xff_ff_ff_ff;

/** Owners on both sides, for users or for groups. */
export class IdMaps {
	readonly #toGuest = new Map<number, number>();
	readonly #toHost = new Map<number, number>();
	/** Whom on the host belongs what the guest makes; SFTP does not tell who in the guest made it. */
	readonly maker: number | undefined;

	/** @param maps guests' ids are numbers of theirs, none is -1; the first of several for one id counts */
	constructor(maps: readonly IdMap[]) {
		for (const {host, guest} of maps) {
			if (!this.#toGuest.has(host)) this.#toGuest.set(host, guest);
			if (!this.#toHost.has(guest)) this.#toHost.set(guest, host);
		}
		this.maker = maps[0]?.host;
	}

	toGuest(host: number): number {
		return this.#toGuest.get(host) ?? nobody;
	}

	/** `unchanged`: it is to stay; `undefined`: the guest has no right to speak for anybody of that number. */
	toHost(guest: number): number | 'unchanged' | undefined {
		return guest === unchanged ? 'unchanged' : this.#toHost.get(guest);
	}
}
