import {plainLine} from '../../model/text.ts';
import {cloneForm} from './clone-form.ts';
import {copyText} from './copying.ts';
import {editForm} from './edit-form.ts';
import {type FormKind, type FormRow, focusBy, formButton, problemsIn, takeSuggestion} from './form.ts';
import {launchForm} from './launch-form.ts';
import {change, step, tell} from './layers.ts';
import type {Effect, FormLayer, FormPurpose, Model, Step} from './model.ts';
import {mountForm} from './mount-form.ts';
import {isLive, topLayer} from './selectors.ts';
import {snapshotEditForm, snapshotForm} from './snapshot-form.ts';

const kinds: Readonly<Record<FormPurpose, FormKind>> = {
	launch: launchForm,
	mount: mountForm,
	edit: editForm,
	snapshot: snapshotForm,
	'snapshot-edit': snapshotEditForm,
	clone: cloneForm,
};

export function formKind({purpose}: FormLayer): FormKind {
	return kinds[purpose];
}

export function rowsOf(model: Model, form: FormLayer): readonly FormRow[] {
	return formKind(form).rows(model, form);
}

/** What a change of a form makes it ask for. */
export function asksOf(before: FormLayer, after: FormLayer): readonly Effect[] {
	return before === after ? [] : (formKind(after).asks?.(before, after) ?? []);
}

/** The row that has the keys; `undefined` for the button. */
export function rowAtFocus(model: Model, form: FormLayer): FormRow | undefined {
	return rowsOf(model, form).find(row => row.name === form.focus);
}

export function performForm(model: Model, word: string): Step {
	const form = topLayer(model);
	if (form?.kind !== 'form') return step(model);
	const rows = rowsOf(model, form);
	switch (word) {
		case 'next-field':
			return step(change(model, 'form', layer => focusBy(layer, rows, 1)));
		case 'previous-field':
			return step(change(model, 'form', layer => focusBy(layer, rows, -1)));
		case 'next': {
			if (form.focus === formButton) return submit(model, form, rows);
			const row = rowAtFocus(model, form);
			const taken = takeSuggestion(form, row);
			return step(
				change(model, 'form', () => focusBy(taken, rows, 1)),
				...asksOf(form, taken),
			);
		}
		case 'copy':
			return copyText(model, 'Command line', formKind(form).commands(model, form).join('\n'));
		default:
			return step(model);
	}
}

/** Up and down: through the proposals of a row first, then from row to row. */
export function moveInForm(model: Model, form: FormLayer, isDown: boolean): FormLayer {
	const row = rowAtFocus(model, form);
	const count = row?.kind === 'text' ? (row.suggestions?.length ?? 0) : 0;
	if (isDown && count > 0 && form.suggestion < count - 1) return {...form, suggestion: form.suggestion + 1};
	if (!isDown && form.suggestion >= 0) return {...form, suggestion: form.suggestion - 1};
	return focusBy(form, rowsOf(model, form), isDown ? 1 : -1);
}

function submit(model: Model, form: FormLayer, rows: readonly FormRow[]): Step {
	const problems = problemsIn(rows);
	if (problems.length > 0) return tell(model, `To fix first: ${problems.map(row => row.title).join(', ')}.`, 'problem');
	if (form.isSending) return step(model);
	if (!isLive(model)) return tell(model, 'No connection to the drover daemon: ctrl-r tries again.', 'problem');
	const request = formKind(form).request(model, form);
	if (typeof request === 'string') return tell(model, plainLine(request), 'problem');
	return step(
		change(model, 'form', ({error: _, ...layer}) => ({...layer, isSending: true})),
		request,
	);
}
