import {plainLine} from '../../model/text.ts';
import {copyText} from './copying.ts';
import {emptyField} from './field.ts';
import {change, push, step, tell} from './layers.ts';
import type {Message, Model, Step} from './model.ts';
import {isSwitching, switchingReason, topLayer} from './selectors.ts';

/** The same on the command line. */
export const importCommand = 'drover import multipass';

export function openImport(model: Model): Step {
	return step(push(model, {kind: 'import', index: 0}), {type: 'load-import'});
}

export function importArrived(model: Model, {plan, error}: Extract<Message, {type: 'import-plan'}>): Model {
	return change(model, 'import', ({kind, index}) => ({
		kind,
		index,
		...(plan ? {plan} : {}),
		...(error ? {error} : {}),
	}));
}

/** What the keys of the page about an import do. */
export function performImport(model: Model, word: string, key: string, at: number): Step {
	const layer = topLayer(model);
	if (layer?.kind !== 'import') return step(model);
	if (word === 'copy') return copyText(model, 'Command line', importCommand);
	const {plan} = layer;
	if (!plan) return tell(model, layer.error ? 'There is no plan to go by.' : 'The plan is not there yet.');
	const wanted = plan.instances.filter(({verdict}) => verdict === 'import');
	if (wanted.length === 0) return tell(model, 'There is nothing to import.');
	if (isSwitching(model)) return tell(model, `Not now: ${switchingReason}`, 'problem');
	const left = plan.instances.filter(({verdict}) => verdict === 'skip').length;
	const [first] = wanted;
	return step(
		push(model, {
			kind: 'confirm',
			level: 1,
			title: wanted.length === 1 ? `Import ${plainLine(first!.name)}?` : `Import ${wanted.length} instances?`,
			effects: [
				'They are copied; the originals stay as they are.',
				...(left > 0 ? [`${left} ${left === 1 ? 'is' : 'are'} left where ${left === 1 ? 'it is' : 'they are'}.`] : []),
			],
			command: importCommand,
			intention: {kind: 'import'},
			field: emptyField,
			openedAt: at,
			openedBy: key,
		}),
	);
}
