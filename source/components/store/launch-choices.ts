import type {CloudTemplate, Profile} from '../../model/profile.ts';
import {templatePrefix} from '../../model/profile.ts';
import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {fieldOf} from './field.ts';
import {chosenOption, type FormRow, textOf} from './form.ts';
import type {FormLayer} from './model.ts';

type ChoiceRow = Extract<FormRow, {kind: 'choice'}>;

/** Where in the choice of cloud-configs a file of one's own stands. */
const ownFile = 'file';

/** Named sets of wishes; where there are none there is nothing to choose, unless the file with them is wrong. */
export function profileRows({profiles = [], profileProblems = []}: FormLayer): readonly FormRow[] {
	const [problem] = profileProblems;
	if (profiles.length === 0) {
		return problem === undefined
			? []
			: [{kind: 'fact', name: 'profile', title: 'Profile', note: plainLine(problem)} as const];
	}
	return [profileRow(profiles, problem)];
}

function profileRow(profiles: readonly Profile[], problem?: string): ChoiceRow {
	const options = [{value: '', label: 'none'}, ...profiles.map(({name}) => ({value: name, label: plainLine(name)}))];
	const note = problem === undefined ? 'what is blank is its to say' : plainLine(problem);
	return {kind: 'choice', name: 'profile', title: 'Profile', options, note};
}

/** The profile that is chosen, if one is. */
export function profileOf(form: FormLayer): Profile | undefined {
	const {profiles = []} = form;
	if (profiles.length === 0) return undefined;
	const chosen = chosenOption(form, profileRow(profiles))?.value;
	return profiles.find(({name}) => name === chosen);
}

/** What a blank field comes to with a profile: `2.0G (dev)`. */
export function fromProfile(form: FormLayer, key: 'image' | 'cpus' | 'memory' | 'disk'): string | undefined {
	const profile = profileOf(form);
	const value = profile?.[key];
	if (profile === undefined || value === undefined) return undefined;
	const text = key === 'memory' || key === 'disk' ? formatSize(value as number) : String(value);
	return `${plainLine(text)} (${plainLine(profile.name)})`;
}

/** None, one by its name, or a file of one's own, which gets a row to be named in. */
export function cloudInitRows(form: FormLayer): readonly FormRow[] {
	const row = cloudInitRow(form);
	if (chosenCloudInit(form, row) !== ownFile) return [row];
	const {text, checked} = fileState(form);
	const problem =
		text === ''
			? 'which file, or address?'
			: text === '-'
				? 'there is no other input here than this form'
				: checked?.problem;
	return [
		row,
		{
			kind: 'text',
			name: 'cloud-init-file',
			title: '',
			note: problem === undefined ? (checked?.note ?? 'looking at it ...') : 'file, or https://',
			...(problem === undefined ? {} : {problem: plainLine(problem)}),
		},
	];
}

function cloudInitRow(form: FormLayer): ChoiceRow {
	const {templates = []} = form;
	const profile = profileOf(form);
	const own = profile?.cloudInit === undefined ? 'none' : `as ${plainLine(profile.name)} has it`;
	const options = [
		{value: '', label: own},
		...templates.map(({name, title, problem}) => ({
			value: `${templatePrefix}${name}`,
			label: plainLine(title),
			...(problem === undefined ? {} : {reason: plainLine(problem)}),
		})),
		{value: ownFile, label: 'a file or address'},
	];
	const chosen = chosenOption(form, {name: 'cloud-init', options})?.value;
	return {kind: 'choice', name: 'cloud-init', title: 'Cloud-init', options, note: aboutOf(templates, chosen)};
}

function aboutOf(templates: readonly CloudTemplate[], chosen: string | undefined): string {
	const template = templates.find(({name}) => `${templatePrefix}${name}` === chosen);
	if (template !== undefined) return plainLine(template.about || (template.file ?? ''));
	return chosen === ownFile ? '' : 'left, right';
}

const chosenCloudInit = (form: FormLayer, row: ChoiceRow = cloudInitRow(form)) => chosenOption(form, row)?.value ?? '';

function fileState(form: FormLayer) {
	const text = textOf(form, 'cloud-init-file');
	return {text, checked: form.cloudInit?.source === text ? form.cloudInit : undefined};
}

/** As `--cloud-init` takes it; empty: none. */
export function cloudInitSource(form: FormLayer): string {
	const chosen = chosenCloudInit(form);
	return chosen === ownFile ? fileState(form).text : chosen;
}

/** What is worth keeping for the next launch: not the name, and nothing that is there once only. */
export function valuesToKeep(form: FormLayer): Readonly<Record<string, string>> {
	const fields = ['image', 'cpus', 'memory', 'disk', 'cloud-init-file'].map(
		name => [name, textOf(form, name)] as const,
	);
	const chosen = ['profile', 'cloud-init'].map(name => [name, form.chosen[name]?.[0] ?? ''] as const);
	return Object.fromEntries([...fields, ...chosen].filter(([, text]) => text !== ''));
}

/** A form with what was launched last in it; what somebody has typed or chosen in it already stays. */
export function withLastLaunch(form: FormLayer, last: Readonly<Record<string, string>>): FormLayer {
	if (form.purpose !== 'launch') return form;
	const fields = Object.fromEntries(
		['image', 'cpus', 'memory', 'disk', 'cloud-init-file'].flatMap(name =>
			last[name] === undefined || textOf(form, name) !== '' ? [] : [[name, fieldOf(plainLine(last[name]))]],
		),
	);
	const chosen = Object.fromEntries(
		['profile', 'cloud-init'].flatMap(name =>
			last[name] === undefined || form.chosen[name] !== undefined ? [] : [[name, [last[name]]]],
		),
	);
	return {...form, fields: {...form.fields, ...fields}, chosen: {...form.chosen, ...chosen}};
}
