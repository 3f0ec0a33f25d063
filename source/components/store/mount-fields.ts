import type {InstanceView} from '../../model/instance.ts';
import {type Mount, mountTarget, targetProblem} from '../../model/mount.ts';
import {listOf} from '../../model/text.ts';
import {splitMount as apart} from '../../platform/home.ts';
import {thisSystem} from '../../platform/system.ts';
import {mountTypes} from './driver-parts.ts';
import {chosenOption, type FormOption, type FormRow, textOf} from './form.ts';
import type {Facts, FormLayer} from './model.ts';

/** Whom drover logs in as where nothing else is known. */
const usualUser = 'ubuntu';

/** What is wrong with a directory of the host as it was typed; whether it is there, the engine says. */
export function sourceProblem(source: string): string | undefined {
	if (source === '' || source.startsWith('/') || source === '~' || source.startsWith('~/')) return undefined;
	return 'write the whole path: /srv/data or ~/data';
}

/** What is wrong with where it is to be seen. A blank stands for the directory's name, below the user's home. */
export function mountProblem(source: string, target: string, instance?: InstanceView): string | undefined {
	const user = instance?.ssh?.user ?? usualUser;
	const full = mountTarget(target, source, user);
	const problem = targetProblem(full, user);
	if (problem !== undefined && (target !== '' || source !== '')) return `${full} cannot be mounted on: ${problem}`;
	return instance?.mounts?.some(mount => mount.target === full) ? `${full} is mounted on already` : undefined;
}

/** The row that chooses how to mount, with the reason of what cannot be chosen beside it. */
export function typeRow(facts: Facts): Extract<FormRow, {kind: 'choice'}> {
	const options = mountTypes(facts);
	return {kind: 'choice', name: 'type', title: 'Type', options, note: reasonsOf(options)};
}

/** `native: not supported by libvirt …`: why options cannot be chosen. */
function reasonsOf(options: readonly FormOption[]): string {
	return listOf(
		options.flatMap(({label, reason}) => (reason === undefined ? [] : [`${label}: ${reason}`])),
		'and',
	);
}

export function mountOf(
	form: FormLayer,
	{source, target}: {readonly source: string; readonly target: string},
	facts: Facts,
): Mount {
	const type = chosenOption(form, {name: 'type', options: mountTypes(facts)})?.value;
	return {source, target, type: type === 'native' ? 'native' : 'classic', uidMap: [], gidMap: []};
}

/** `SRC[:DST]` taken apart as the command line does it. */
export function splitMount(text: string): {readonly source: string; readonly target: string} {
	const {source, target = ''} = apart(text.trim(), thisSystem().platform);
	return {source: source.trim(), target: target.trim()};
}

export const mountFieldOf = (form: FormLayer) => splitMount(textOf(form, 'mount'));
