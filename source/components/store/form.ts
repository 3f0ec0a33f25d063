import type {KeyPress} from '../keys/key-name.ts';
import {edit, emptyField, type Field, fieldOf} from './field.ts';
import type {Effect, FormLayer, FormPurpose, Model} from './model.ts';

/** Stands for the button where the name of a row is expected. */
export const formButton = 'submit';

export type FormOption = {
	readonly value: string;
	readonly label: string;
	/** Why it cannot be chosen. */
	readonly reason?: string;
};

/** What is proposed for a text while it is typed. */
export type Suggestion = {readonly value: string; readonly about: string};

/** A line of a form. Rows are made anew from the model each time: they hold no state of their own. */
export type FormRow =
	| {
			readonly kind: 'text';
			readonly name: string;
			readonly title: string;
			/** Limits and what a blank means, beside the field. */
			readonly note: string;
			readonly problem?: string;
			readonly suggestions?: readonly Suggestion[];
	  }
	/** One of several. */
	| {
			readonly kind: 'choice';
			readonly name: string;
			readonly title: string;
			readonly note: string;
			readonly options: readonly FormOption[];
	  }
	/** One of a group that each can be on or off. */
	| {
			readonly kind: 'toggle';
			readonly name: string;
			readonly title: string;
			readonly note: string;
			readonly group: string;
			readonly value: string;
	  }
	/** Nothing to fill in, and why. */
	| {readonly kind: 'fact'; readonly name: string; readonly title: string; readonly note: string};

/** What makes one form different from another. Pure. */
export type FormKind = {
	readonly title: (model: Model, form: FormLayer) => string;
	/** Whether what the host has free is told beside it. */
	readonly isAboutHardware: boolean;
	readonly button: string;
	/** On the button while the answer is waited for. */
	readonly busy: string;
	/** What is said before the reason when it was refused. */
	readonly refused: string;
	readonly rows: (model: Model, form: FormLayer) => readonly FormRow[];
	/** The same on the command line; what has a problem is `??`. */
	readonly commands: (model: Model, form: FormLayer) => readonly string[];
	/** What is to be found out after something was typed or chosen. */
	readonly asks?: (before: FormLayer, after: FormLayer) => readonly Effect[];
	/** What is asked of the engine when nothing has a problem; a sentence when there is nothing to ask. */
	readonly request: (model: Model, form: FormLayer) => Effect | string;
};

export function newForm(
	purpose: FormPurpose,
	{id, focus, fields}: {id?: string; focus: string; fields: Readonly<Record<string, string>>},
): FormLayer {
	return {
		kind: 'form',
		purpose,
		...(id === undefined ? {} : {id}),
		fields: Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, fieldOf(text)])),
		chosen: {},
		focus,
		isEdited: false,
		suggestion: -1,
		isSending: false,
	};
}

/** What is typed in a row, without blanks at its ends. */
export function textOf(form: FormLayer, name: string): string {
	return fieldIn(form, name).text.trim();
}

export function fieldIn(form: FormLayer, name: string): Field {
	return form.fields[name] ?? emptyField;
}

/** The option that is chosen: the first that can be, until another is. */
export function chosenOption(form: FormLayer, {name, options}: {name: string; options: readonly FormOption[]}) {
	const chosen = form.chosen[name]?.[0];
	return options.find(option => option.value === chosen) ?? options.find(option => option.reason === undefined);
}

export function isOn(form: FormLayer, {group, value}: {group: string; value: string}): boolean {
	return form.chosen[group]?.includes(value) ?? false;
}

/** The fields that are not right; one without a title of its own has that of the line it belongs to, above it. */
export function problemsIn(rows: readonly FormRow[]): ReadonlyArray<Extract<FormRow, {kind: 'text'}>> {
	return rows.flatMap((row, index) => {
		if (row.kind !== 'text' || row.problem === undefined) return [];
		const titled = rows.slice(0, index + 1).findLast(({title}) => title !== '');
		return [{...row, title: titled?.title ?? ''}];
	});
}

/** The focus, so many rows further on; past the button it begins again. */
export function focusBy(form: FormLayer, rows: readonly FormRow[], by: number): FormLayer {
	const names = [...rows.filter(row => row.kind !== 'fact').map(row => row.name), formButton];
	// A row that is gone leaves the focus before the first.
	const at = names.indexOf(form.focus);
	const focus = names[(at + by + names.length) % names.length] ?? formButton;
	return {...form, focus, suggestion: -1};
}

/** What a key makes of the row that has the keys; `undefined` when it means nothing there. */
export function typeInForm(form: FormLayer, row: FormRow | undefined, key: KeyPress): FormLayer | undefined {
	switch (row?.kind) {
		case 'text': {
			const field = edit(fieldIn(form, row.name), key);
			return field && withField(form, row.name, field);
		}
		case 'choice':
			if (key.name === 'left') return choose(form, row, -1);
			if (key.name === 'right' || key.name === 'space') return choose(form, row, 1);
			return key.text === '' ? undefined : form;
		case 'toggle': {
			if (key.name !== 'space') return key.text === '' ? undefined : form;
			const others = form.chosen[row.group]?.filter(value => value !== row.value) ?? [];
			const next = isOn(form, row) ? others : [...others, row.value];
			return {...form, isEdited: true, chosen: {...form.chosen, [row.group]: next}};
		}
		default:
			return key.text === '' ? undefined : form;
	}
}

export function withField(form: FormLayer, name: string, field: Field): FormLayer {
	return {
		...form,
		isEdited: form.isEdited || field.text !== fieldIn(form, name).text,
		suggestion: -1,
		fields: {...form.fields, [name]: field},
	};
}

/** The next option in a direction that can be chosen. */
function choose(form: FormLayer, row: Extract<FormRow, {kind: 'choice'}>, by: 1 | -1): FormLayer {
	const able = row.options.filter(option => option.reason === undefined);
	const current = chosenOption(form, row);
	const at = able.findIndex(option => option.value === current?.value);
	const next = able[(at + by + able.length) % able.length];
	if (!next || next.value === current?.value) return form;
	return {...form, isEdited: true, chosen: {...form.chosen, [row.name]: [next.value]}};
}

/** The proposal under the cursor put in; nothing without one. */
export function takeSuggestion(form: FormLayer, row: FormRow | undefined): FormLayer {
	const taken = row?.kind === 'text' ? row.suggestions?.[form.suggestion] : undefined;
	return taken && row ? withField(form, row.name, fieldOf(taken.value)) : form;
}
