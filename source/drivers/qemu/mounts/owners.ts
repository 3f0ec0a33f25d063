import type {IdMap} from '../../../model/mount.ts';

/** All ids there are. */
const everyId = 0xff_ff_ff_ff;

/**
 * Why owners cannot be shown as it is asked for; `undefined`: they can.
 * @param maps a guest's id may be -1: nobody has said which
 * @param own whom files belong to that are made here; 0 may make them anybody's
 */
export function mapsProblem(
	maps: readonly IdMap[],
	{translates, own}: {readonly translates: boolean; readonly own: number},
): string | undefined {
	const asked = maps.filter(({host, guest}) => guest !== -1 && guest !== host);
	if (asked.length === 0) return undefined;
	if (!translates) return 'owners are what they are on the host, and cannot be shown under other numbers';
	const distinct = (side: keyof IdMap) => new Set(maps.map(map => map[side])).size === maps.length;
	if (!distinct('host') || !distinct('guest')) return 'each number can be mapped once';
	if (own !== 0 && asked.some(({host}) => host !== own)) {
		return `without root no other owner can be mapped than oneself, who is ${own}`;
	}
	return undefined;
}

/**
 * What virtiofsd is told to show owners as they are asked for: `map:GUEST:HOST:1`. Without root nothing can be made
 * another's: all that the guest makes is one's own then, and is shown to it as its user's.
 * @param maps with the guest's own ids put in
 */
export function translations(maps: readonly IdMap[], own: number): readonly string[] {
	const others = maps.filter(({host, guest}) => host !== guest);
	if (own === 0) return others.map(({host, guest}) => `map:${guest}:${host}:1`);
	const shown = others.filter(({host}) => host === own).slice(0, 1);
	return [`squash-guest:0:${own}:${everyId}`, ...shown.map(({host, guest}) => `host:${host}:${guest}:1`)];
}

/** Whether what belongs to somebody here would be somebody else's in the guest, though nobody asked for it. */
export function keepsOthers(maps: readonly IdMap[]): boolean {
	return maps.some(({host, guest}) => host !== guest);
}
