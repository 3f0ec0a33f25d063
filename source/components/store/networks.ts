import {availability} from '../../engine/availability.ts';
import type {InstanceView} from '../../model/instance.ts';
import type {HostNetwork} from '../../model/network.ts';
import {isUp} from '../../model/state.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {copyText} from './copying.ts';
import {emptyField} from './field.ts';

import {push, step, tell} from './layers.ts';
import type {Model, NetworksLayer, Step} from './model.ts';
import {driverOf, isSwitching, switchingReason, topLayer} from './selectors.ts';

export function openNetworks(model: Model, instance: InstanceView): Step {
	return step(push(model, {kind: 'networks', id: instance.id, index: 0}), {
		type: 'load-networks',
		id: instance.id,
		name: instance.name,
	});
}

export function networkAt({host = [], index}: NetworksLayer): HostNetwork | undefined {
	return host[Math.min(index, host.length - 1)];
}

/** The command line knows one network for further interfaces: it is chosen first, unless it is that one already. */
export function networkCommands({facts}: Model, name: string, network: string): readonly string[] {
	const choose =
		facts?.settings['local.bridged-network'] === network
			? []
			: [`drover set ${shellWord(plainLine(`local.bridged-network=${network}`))}`];
	return [...choose, `drover set local.${plainLine(name)}.bridged=true`];
}

/** Why no interface can be added to it now. */
export function whyNoNic(model: Model, instance: InstanceView): string | undefined {
	const driver = driverOf(model);
	if (!driver) return 'the driver is not known yet';
	if (isSwitching(model)) return switchingReason;
	const answer = availability('networks', instance, driver);
	return answer.can ? undefined : answer.reason;
}

/** What the keys of the networks page do. */
export function performNetworks(model: Model, word: string, key: string, at: number): Step {
	const layer = topLayer(model);
	if (layer?.kind !== 'networks') return step(model);
	const instance = model.roster.byId.get(layer.id);
	if (!instance) return tell(model, 'The instance is gone: nothing was done.', 'problem');
	const network = networkAt(layer);
	if (!network) return tell(model, 'There is no network to choose.');
	const commands = networkCommands(model, instance.name, network.name);
	if (word === 'copy') return copyText(model, 'Command line', commands.join('\n'));
	const reason = whyNoNic(model, instance);
	if (reason !== undefined) return tell(model, `Not now: ${plainLine(reason)}`, 'problem');
	const [name, shown] = [plainLine(instance.name), plainLine(network.name)];
	const count = layer.detail?.nics?.filter(nic => nic.network === network.name).length ?? 0;
	return step(
		push(model, {
			kind: 'confirm',
			level: 1,
			title: `Give ${name} an interface on ${shown}?`,
			effects: [
				isUp(instance.state)
					? 'It is there at once, with a MAC address of its own; the guest may ask for an address only after its next start.'
					: 'It is there from the next start on, with a MAC address of its own; the guest asks for an address itself.',
				'It cannot be taken away again.',
				...(count > 0 ? [`It has ${count} on this network already.`] : []),
			],
			command: commands.join('\n'),
			intention: {
				kind: 'add-network',
				request: {name: instance.name, network: network.name},
				ids: [instance.id],
			},
			field: emptyField,
			openedAt: at,
			openedBy: key,
		}),
	);
}
