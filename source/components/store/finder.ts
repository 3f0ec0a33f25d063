import {plainLine} from '../../model/text.ts';
import {actionsOn, type KeyAction, keyActions, type Where} from '../keys/registry.ts';
import type {Model} from './model.ts';
import {reasonAgainst, targetsOf} from './selectors.ts';

/** A line of the help or of the palette. */
export type FinderEntry = {
	readonly action: KeyAction;
	/** Why it cannot be run now. */
	readonly reason: string | undefined;
	/** The same on the command line, with the instance's name filled in. */
	readonly command: string | undefined;
};

/** The screen that help or palette was opened over. */
export function whereBelow(model: Model): Where {
	const below = model.layers.findLast(layer => layer.kind !== 'finder');
	return below?.kind ?? 'table';
}

const groups = ['Instance', 'Screens', 'Select', 'Move', 'Session'];

/** Keys that answer a dialog or edit a field have no meaning as a command. */
const onlyInDialogs: ReadonlySet<string> = new Set(['confirm', 'filter', 'finder', 'form', 'order', 'copy']);

/** What the finder lists: the help this screen's keys, the palette every action there is, each with its reason if not. */
export function finderEntries(model: Model, mode: 'help' | 'palette', query: string): readonly FinderEntry[] {
	const where = whereBelow(model);
	const here = actionsOn(where).filter(action => mode === 'help' || isCommand(action));
	const all =
		mode === 'help' ? here : [...here, ...keyActions.filter(action => isCommand(action) && !here.includes(action))];
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	const target = targetsOf(model)[0];
	return all
		.filter(action => action.id !== 'screen.help' || mode === 'palette')
		.filter(action => {
			const text = `${action.title} ${action.id} ${action.keys.join(' ')} ${action.command ?? ''}`.toLowerCase();
			return words.every(word => text.includes(word));
		})
		.sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group))
		.map(action => ({
			action,
			reason: here.includes(action) ? reasonAgainst(action, model) : `only on the ${action.where[0]} screen`,
			command: action.command?.replace('NAME', target ? plainLine(target.name) : 'NAME'),
		}));
}

function isCommand(action: KeyAction): boolean {
	return action.group !== 'Move' && !action.where.every(where => onlyInDialogs.has(where)) && action.id !== 'menu.run';
}
