import {mebibyte} from '../../source/model/sizes.ts';
import {ByHand} from './by-hand.ts';
import {type Figure, limited, median, milliseconds} from './figures.ts';
import {House} from './house.ts';

/**
 * From asking for an instance to its answer on SSH, its image being in the cache, against the same disk and the same
 * QEMU by hand.
 */
export async function launching(): Promise<Figure[]> {
	await using house = await House.open();
	const own: number[] = [];
	const theirs: number[] = [];
	const parts = {create: [] as number[], init: [] as number[]};
	const rounds = 5;
	for (let round = 0; round < rounds; round++) {
		const name = `bench-${round}`;
		const began = Date.now();
		const {id} = await house.engine.launch({image: 'micro', name, memory: 256 * mebibyte, by: 'bench'});
		await house.engine.wait({id, timeoutSeconds: 900});
		const ended = Date.now();
		const log = await house.engine.operationLog({id});
		const at = (words: RegExp) => log.find(({text}) => words.test(text))?.at ?? Number.NaN;
		const answered = at(/^the guest answered/);
		own.push(answered - began);
		parts.create.push(at(/^starting QEMU/) - began);
		parts.init.push(ended - answered);
		const [detail] = await house.engine.info({names: [name], runtime: false});
		const [pid] = house.machines();
		if (!detail?.ssh || pid === undefined) throw new Error('the machine is not running');
		const hand = new ByHand(pid, detail.ssh);
		await hand.cut();
		try {
			theirs.push(await hand.launch());
		} finally {
			await hand.cut();
		}
		const {id: removal} = await house.engine.act({
			action: 'delete',
			names: [name],
			options: {purge: true},
			by: 'bench',
		});
		await house.engine.wait({id: removal, timeoutSeconds: 60});
	}
	const [a, b] = [median(own), median(theirs)];
	return [
		limited(
			'launch from a warm cache against the same by hand',
			a / b,
			1.1,
			'x',
			`until SSH answers: ${milliseconds(a)}, by hand (qemu-img create, QEMU) ${milliseconds(b)}; ${milliseconds(median(parts.create))} of it before QEMU; medians of ${rounds}`,
		),
		{
			what: 'after that, until the guest is initialized',
			value: milliseconds(median(parts.init)),
			note: 'asked over SSH; micro has nothing to do any more by then',
		},
	];
}
