import {plainLine} from '../../model/text.ts';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import type {Model, NetworksLayer} from '../store/model.ts';
import {networkAt, networkCommands, whyNoNic} from '../store/networks.ts';
import {pageHead, rowsAround} from './page.ts';

/** The interfaces of an instance, and the networks of the host that it can be given another one on. */
export function networksLines(model: Model, layer: NetworksLayer, width: number, height: number): readonly Line[] {
	const instance = model.roster.byId.get(layer.id);
	const head = pageHead(instance, 'interfaces beside its first, and networks', width);
	if (!instance) return fill(head, height);
	const chosen = networkAt(layer);
	const reason = whyNoNic(model, instance);
	const foot: readonly Line[] = [
		...(reason === undefined
			? []
			: wrap(`None can be added now: ${plainLine(reason)}`, width - 2).map(part => line(` ${part}`, 'problem'))),
		...(chosen
			? [
					[],
					line(' Added on the command line (y copies):', 'dim'),
					...networkCommands(model, instance.name, chosen.name).flatMap(command =>
						wrap(command, width - 4).map(part => line(`   ${part}`)),
					),
				]
			: []),
	];
	const nics = nicLines(layer);
	const rows = hostRows(layer, width);
	const title = line(' NETWORKS OF THIS HOST', 'title');
	// On the smallest screens the list that is chosen from matters most.
	const room = Math.max(3, height - head.length - 1 - foot.length);
	const above = [line(' FURTHER INTERFACES', 'title'), ...nics, []].slice(
		0,
		Math.max(0, room - Math.min(rows.length, 3)),
	);
	const list = rowsAround(rows, layer.host?.indexOf(chosen!) ?? 0, Math.max(1, room - above.length));
	return fill([...head, ...above, title, ...list, ...foot], height);
}

function nicLines({detail, detailError}: NetworksLayer): readonly Line[] {
	if (detailError) return [line(`   ${plainLine(detailError.message)}`, 'problem')];
	if (!detail) return [line('   loading ...', 'dim')];
	const nics = detail.nics ?? [];
	if (nics.length === 0) return [line('   none: it has its first interface alone', 'dim')];
	return nics.map(nic => [
		span(`   ${fitText(plainLine(nic.network), 16)} ${fitText(plainLine(nic.mac), 18)} `),
		span(nic.mode === 'auto' ? 'asks for an address itself' : 'left to you', 'dim'),
	]);
}

function hostRows(layer: NetworksLayer, width: number): readonly Line[] {
	const {host, hostError} = layer;
	if (hostError) {
		const text = `${plainLine(hostError.message)}${hostError.next ? ` ${plainLine(hostError.next)}` : ''}`;
		return wrap(text, width - 4).map(part => line(`   ${part}`, 'problem'));
	}
	if (!host) return [line('   loading ...', 'dim')];
	if (host.length === 0) return [line('   This host has no network that instances can be put on.')];
	const chosen = networkAt(layer);
	return host.map(network => {
		const isChosen = network === chosen;
		return [
			span(isChosen ? ' > ' : '   ', 'bold'),
			span(fitText(plainLine(network.name), 16)),
			span(` ${fitText(plainLine(network.type), 10)} `),
			span(plainLine(network.description), 'dim'),
		];
	});
}
