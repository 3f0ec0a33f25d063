import type {InstanceView} from '../../model/instance.ts';
import {nameProblem} from '../../model/names.ts';
import {longestComment, type SnapshotView} from '../../model/snapshot.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {type FormKind, type FormRow, newForm, textOf} from './form.ts';
import type {FormLayer, Model, SnapshotsLayer} from './model.ts';

/** To take a snapshot; or, with one, to change its name and comment. */
export function newSnapshotForm(id: string, snapshot?: SnapshotView): FormLayer {
	// A field has one line: what has more is not made shorter by opening a form.
	const comment = snapshot === undefined || snapshot.comment.includes('\n') ? '' : plainLine(snapshot.comment);
	const fields = {name: snapshot?.name ?? '', comment};
	const form = newForm(snapshot ? 'snapshot-edit' : 'snapshot', {id, focus: 'name', fields});
	return snapshot ? {...form, snapshot} : form;
}

/** The form that takes a snapshot. */
export const snapshotForm: FormKind = {
	title: (model, form) => `Take a snapshot of ${instanceName(model, form)}`,
	isAboutHardware: false,
	button: 'Take it',
	busy: 'Asking ...',
	refused: 'Not taken',
	rows: (model, form) => [nameRow(model, form, 'blank = snapshotN'), commentRow(form, 'what it is for')],
	commands: (model, form) => {
		const words = ['drover snapshot', instanceName(model, form)];
		const name = textOf(form, 'name');
		if (name !== '') words.push('--name', nameTrouble(model, form) === undefined ? shellWord(name) : '??');
		if (textOf(form, 'comment') !== '') words.push('--comment', shellWord(plainLine(textOf(form, 'comment'))));
		return [words.join(' ')];
	},
	request: (model, form) => {
		const instance = instanceOf(model, form);
		if (!instance) return 'The instance is gone: nothing was done.';
		const [snapshot, comment] = [textOf(form, 'name'), textOf(form, 'comment')];
		return {
			type: 'snapshot',
			request: {
				name: instance.name,
				...(snapshot === '' ? {} : {snapshot}),
				...(comment === '' ? {} : {comment}),
			},
		};
	},
};

/** The form that changes a snapshot's name and comment. */
export const snapshotEditForm: FormKind = {
	title: (model, form) => `Change snapshot ${instanceName(model, form)}.${plainLine(form.snapshot?.name ?? '')}`,
	isAboutHardware: false,
	button: 'Change',
	busy: 'Changing ...',
	refused: 'Not changed',
	rows: (model, form) => {
		const hasLines = form.snapshot?.comment.includes('\n') ?? false;
		return [nameRow(model, form, ''), commentRow(form, hasLines ? 'blank = its lines stay as they are' : '')];
	},
	commands: (model, form) => {
		const changes = changesOf(form);
		if (changes.length === 0) return ['nothing is changed yet'];
		return changes.map(({property, value}) => {
			const text = property === 'name' && nameTrouble(model, form) !== undefined ? '??' : plainLine(value);
			const of = plainLine(form.snapshot?.name ?? '');
			return `drover set ${shellWord(`local.${instanceName(model, form)}.${of}.${property}=${text}`)}`;
		});
	},
	request: (model, form) => {
		const instance = instanceOf(model, form);
		if (!instance || !form.snapshot) return 'The instance is gone: nothing was done.';
		const changes = changesOf(form);
		if (changes.length === 0) return 'Nothing is changed: esc leaves.';
		// The comment first: it is found by the name it still has.
		const before = `local.${instance.name}.${form.snapshot.name}`;
		const values = changes.map(({property, value}) => ({key: `${before}.${property}`, value}));
		return {type: 'change-snapshot', id: instance.id, name: instance.name, values};
	},
};

/** What was typed and is not as it is; the comment before the name. */
function changesOf(form: FormLayer): ReadonlyArray<{readonly property: 'name' | 'comment'; readonly value: string}> {
	const {snapshot} = form;
	if (!snapshot) return [];
	const [name, comment] = [textOf(form, 'name'), textOf(form, 'comment')];
	const hasLines = snapshot.comment.includes('\n');
	const isOther = comment !== plainLine(snapshot.comment) && !(hasLines && comment === '');
	return [
		...(isOther ? [{property: 'comment', value: comment} as const] : []),
		...(name !== '' && name !== snapshot.name ? [{property: 'name', value: name} as const] : []),
	];
}

function nameRow(model: Model, form: FormLayer, note: string): FormRow {
	const problem = nameTrouble(model, form);
	return {kind: 'text', name: 'name', title: 'Name', note, ...(problem === undefined ? {} : {problem})};
}

function commentRow(form: FormLayer, note: string): FormRow {
	const isLong = textOf(form, 'comment').length > longestComment;
	const problem = isLong ? {problem: `${longestComment} characters at most`} : {};
	return {kind: 'text', name: 'comment', title: 'Comment', note, ...problem};
}

function nameTrouble(model: Model, form: FormLayer): string | undefined {
	const name = textOf(form, 'name');
	if (name === '' || name === form.snapshot?.name) return undefined;
	const problem = nameProblem(name);
	if (problem !== undefined) return problem;
	const page = model.layers.find((layer): layer is SnapshotsLayer => layer.kind === 'snapshots');
	return page?.list?.snapshots.some(other => other.name === name) ? 'it has one of this name already' : undefined;
}

function instanceOf({roster}: Model, {id = ''}: FormLayer): InstanceView | undefined {
	return roster.byId.get(id);
}

const instanceName = (model: Model, form: FormLayer) =>
	plainLine(instanceOf(model, form)?.name ?? 'an instance that is gone');
