import {setTimeout as sleep} from 'node:timers/promises';
import {mebibyte} from '../../source/model/sizes.ts';
import {type Figure, median, milliseconds} from './figures.ts';
import {House} from './house.ts';

const sent = 16 * mebibyte;
const rounds = 3;

/**
 * Two real guests on the private network: what goes from one to the other in a second, against the way out through QEMU's
 * own network to a port of the host and in again, and how long a packet there and back takes on either.
 */
export async function network(): Promise<Figure[]> {
	await using house = await House.open();
	await house.launch(['one', 'two'], 192 * mebibyte);
	const forward = await house.engine.forward({
		name: 'two',
		forward: {protocol: 'tcp', address: '127.0.0.1', host: 29_001, guest: 9001},
		by: 'bench',
	});
	await house.engine.wait({id: forward.id});
	const rate = async (to: string, port: number) => {
		const rates: number[] = [];
		for (let round = 0; round < rounds; round++) {
			await house.sh('two', `(sleep 1000 | nc -l -p ${port} > /dev/null) > /dev/null 2>&1 &`);
			await sleep(500);
			// In the guest itself: of a command's own start nothing is in it.
			const script = `read a b < /proc/uptime; dd if=/dev/zero bs=65536 count=${sent / 65_536} 2>/dev/null | nc ${to} ${port === 9001 ? 29_001 : port}; read c d < /proc/uptime; echo $a $c`;
			const [from = 0, until = 0] = (await house.sh('one', script)).split(' ').map(Number);
			rates.push(sent / mebibyte / (until - from));
		}
		return median(rates);
	};
	const own = await rate('two', 9000);
	const around = await rate('10.0.2.2', 9001);
	const ping = async (to: string) => {
		const times = [...(await house.sh('one', `ping -c 20 -i 0.1 ${to}`)).matchAll(/time=([\d.]+) ms/g)];
		return median(times.map(match => Number(match[1])));
	};
	const perSecond = (value: number) => `${value.toFixed(1)} MiB/s`;
	return [
		{
			what: 'from guest to guest on the private network',
			value: perSecond(own),
			note: `${sent / mebibyte} MiB, median of ${rounds}`,
		},
		{
			what: 'the same by a port of the host',
			value: perSecond(around),
			note: `the private network has ${(own / around).toFixed(2)}x`,
		},
		{what: 'ping of the other guest', value: milliseconds(await ping('two'))},
		{what: 'ping of QEMU’s own network', value: milliseconds(await ping('10.0.2.2'))},
	];
}
