import {linkProblem} from '../../engine/availability.ts';
import type {InstanceView} from '../../model/instance.ts';
import {nameProblem} from '../../model/names.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {chosenOption, type FormKind, type FormRow, newForm, textOf} from './form.ts';
import type {FormLayer, Model} from './model.ts';
import {driverOf} from './selectors.ts';

/** To make an instance out of another. */
export function newCloneForm({id}: InstanceView): FormLayer {
	return newForm('clone', {id, focus: 'name', fields: {name: ''}});
}

/** The form that duplicates an instance. */
export const cloneForm: FormKind = {
	title: (model, form) => `Duplicate ${instanceName(model, form)}`,
	isAboutHardware: false,
	button: 'Duplicate',
	busy: 'Asking ...',
	refused: 'Not duplicated',
	rows: (model, form) => {
		const problem = nameTrouble(model, form);
		return [
			{
				kind: 'text',
				name: 'name',
				title: 'Name',
				note: `blank = ${instanceName(model, form)}-cloneN`,
				...(problem === undefined ? {} : {problem}),
			},
			diskRow(model, form),
			{kind: 'fact', name: 'about', title: '', note: aboutDisk(model, form)},
			{
				kind: 'fact',
				name: 'identity',
				title: '',
				note: 'Addresses, keys and machine id are its own; snapshots are not copied.',
			},
		];
	},
	commands: (model, form) => {
		const words = ['drover clone', instanceName(model, form)];
		const name = textOf(form, 'name');
		if (name !== '') words.push('--name', nameTrouble(model, form) === undefined ? shellWord(name) : '??');
		if (isLinked(model, form)) words.push('--linked');
		return [words.join(' ')];
	},
	request: (model, form) => {
		const instance = instanceOf(model, form);
		if (!instance) return 'The instance is gone: nothing was done.';
		const as = textOf(form, 'name');
		return {
			type: 'clone',
			request: {
				name: instance.name,
				...(as === '' ? {} : {as}),
				...(isLinked(model, form) ? {linked: true} : {}),
			},
		};
	},
};

function diskRow(model: Model, form: FormLayer): Extract<FormRow, {kind: 'choice'}> {
	const reason = whyNotLinked(model, form);
	return {
		kind: 'choice',
		name: 'disk',
		title: 'Disk',
		note: reason === undefined ? 'left, right' : '',
		options: [
			{value: 'full', label: 'full copy'},
			{value: 'linked', label: 'linked', ...(reason === undefined ? {} : {reason})},
		],
	};
}

function isLinked(model: Model, form: FormLayer): boolean {
	return chosenOption(form, diskRow(model, form))?.value === 'linked';
}

/** One line each on a small terminal: what is below does not move when the other is chosen. */
function aboutDisk(model: Model, form: FormLayer): string {
	if (isLinked(model, form)) return 'Nothing is copied: both share it, and either can be deleted.';
	const reason = whyNotLinked(model, form);
	const full = 'All that it has written is copied, and nothing is shared.';
	return reason === undefined ? full : `${full} Not linked: ${plainLine(reason)}.`;
}

/** Why it cannot be a linked one, in words without a full stop. */
function whyNotLinked(model: Model, form: FormLayer): string | undefined {
	const driver = driverOf(model);
	if (!driver) return 'no connection to the drover daemon';
	const problem = linkProblem(driver);
	if (problem !== undefined) return problem;
	const hasSnapshots = (instanceOf(model, form)?.snapshotCount ?? 0) > 0;
	return hasSnapshots ? 'it has snapshots, which are inside the disk that would be shared' : undefined;
}

function nameTrouble({roster}: Model, form: FormLayer): string | undefined {
	const name = textOf(form, 'name');
	if (name === '') return undefined;
	const problem = nameProblem(name);
	if (problem !== undefined) return problem;
	return [...roster.byId.values()].some(other => other.name === name) ? 'there is one of this name already' : undefined;
}

function instanceOf({roster}: Model, {id = ''}: FormLayer): InstanceView | undefined {
	return roster.byId.get(id);
}

const instanceName = (model: Model, form: FormLayer) =>
	plainLine(instanceOf(model, form)?.name ?? 'an instance that is gone');
