import type {InstanceView} from '../../model/instance.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {mountTypes} from './driver-parts.ts';
import {chosenOption, type FormKind, type FormRow, newForm, textOf} from './form.ts';
import type {Facts, FormLayer, Model} from './model.ts';
import {mountOf, mountProblem, sourceProblem, typeRow} from './mount-fields.ts';

export function newMountForm(id: string): FormLayer {
	return newForm('mount', {id, focus: 'source', fields: {source: '', target: ''}});
}

/** The form that mounts a directory of the host in an instance. */
export const mountForm: FormKind = {
	title: (model, form) =>
		`Mount a directory in ${plainLine(instanceOf(model, form)?.name ?? 'an instance that is gone')}`,
	isAboutHardware: false,
	button: 'Mount',
	busy: 'Mounting ...',
	refused: 'Not mounted',
	rows: (model, form) => {
		const instance = instanceOf(model, form);
		return [sourceRow(form), targetRow(form, instance), ...(model.facts ? [typeRow(model.facts)] : [])];
	},
	commands: (model, form) => [mountCommand(form, instanceOf(model, form), model.facts)],
	request: (model, form) => {
		const instance = instanceOf(model, form);
		const {facts} = model;
		if (!instance || !facts) return 'The instance is gone: nothing was done.';
		const source = textOf(form, 'source');
		if (source === '') return 'Say which directory of this host is to be mounted.';
		const mount = mountOf(form, {source, target: textOf(form, 'target')}, facts);
		return {type: 'mount', request: {name: instance.name, mount}};
	},
};

function instanceOf({roster}: Model, {id = ''}: FormLayer): InstanceView | undefined {
	return roster.byId.get(id);
}

function sourceRow(form: FormLayer): FormRow {
	const problem = sourceProblem(textOf(form, 'source'));
	return {
		kind: 'text',
		name: 'source',
		title: 'Directory',
		note: 'of this host',
		...(problem === undefined ? {} : {problem}),
	};
}

function targetRow(form: FormLayer, instance: InstanceView | undefined): FormRow {
	const problem = mountProblem(textOf(form, 'source'), textOf(form, 'target'), instance);
	return {
		kind: 'text',
		name: 'target',
		title: 'Seen at',
		note: "blank = its name, in the user's home",
		...(problem === undefined ? {} : {problem}),
	};
}

function mountCommand(form: FormLayer, instance: InstanceView | undefined, facts: Facts | undefined): string {
	const problem = sourceProblem(textOf(form, 'source'));
	const source = problem === undefined ? plainLine(textOf(form, 'source')) : '??';
	const wrong = mountProblem(textOf(form, 'source'), textOf(form, 'target'), instance) !== undefined;
	const target = wrong ? '??' : plainLine(textOf(form, 'target'));
	const place = `${plainLine(instance?.name ?? '??')}${target === '' ? '' : `:${target}`}`;
	const options = facts ? mountTypes(facts) : [];
	const type = chosenOption(form, {name: 'type', options});
	// What is usual need not be said.
	const usual = options.find(option => option.reason === undefined);
	const words = ['drover', 'mount', ...(type && type !== usual ? ['--type', type.value] : [])];
	return [...words, source === '' ? 'DIRECTORY' : shellWord(source), shellWord(place)].join(' ');
}
