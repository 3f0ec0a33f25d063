import type {InstanceView} from '../../model/instance.ts';
import type {Mount, MountView} from '../../model/mount.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {copyText} from './copying.ts';
import {whyNoMounts} from './driver-parts.ts';
import {emptyField} from './field.ts';

import {push, step, tell} from './layers.ts';
import type {Model, MountsLayer, Step} from './model.ts';
import {newMountForm} from './mount-form.ts';
import {isSwitching, switchingReason, topLayer} from './selectors.ts';

export function openMounts(model: Model, instance: InstanceView): Step {
	return step(push(model, {kind: 'mounts', id: instance.id, index: 0}));
}

/** The mount under the cursor; when the last one has gone, the one that is last now. */
export function mountAt({roster}: Model, {id, index}: MountsLayer): MountView | undefined {
	const mounts = roster.byId.get(id)?.mounts ?? [];
	return mounts[Math.min(index, mounts.length - 1)];
}

export function umountCommand(name: string, {target}: Pick<Mount, 'target'>): string {
	return `drover umount ${shellWord(plainLine(`${name}:${target}`))}`;
}

/** What the keys of the mounts page do. */
export function performMounts(model: Model, word: string, key: string, at: number): Step {
	const layer = topLayer(model);
	if (layer?.kind !== 'mounts') return step(model);
	const instance = model.roster.byId.get(layer.id);
	if (!instance) return tell(model, 'The instance is gone: nothing was done.', 'problem');
	if (word === 'add') {
		if (isSwitching(model)) return tell(model, `Not now: ${switchingReason}.`, 'problem');
		const reason = model.facts && whyNoMounts(model.facts);
		if (reason !== undefined) return tell(model, `Not here: ${plainLine(reason)}`, 'problem');
		return step(push(model, newMountForm(instance.id)));
	}
	const mount = mountAt(model, layer);
	if (!mount) return tell(model, 'It has no mounts: n adds one.');
	const command = umountCommand(instance.name, mount);
	if (word === 'copy') return copyText(model, 'Command line', command);
	if (isSwitching(model)) return tell(model, `Not now: ${switchingReason}.`, 'problem');
	return step(
		push(model, {
			kind: 'confirm',
			level: 1,
			title: `Unmount ${plainLine(mount.target)} from ${plainLine(instance.name)}?`,
			effects: [`Programs in the guest that use it lose it. ${plainLine(mount.source)} stays as it is on this host.`],
			command,
			intention: {kind: 'unmount', request: {name: instance.name, target: mount.target}, ids: [instance.id]},
			field: emptyField,
			openedAt: at,
			openedBy: key,
		}),
	);
}
