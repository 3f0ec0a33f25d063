import type {HostFacts, LaunchRequest} from '../../engine/engine.ts';
import type {ImageInfo} from '../../model/image-info.ts';
import type {InstanceView} from '../../model/instance.ts';
import {nameProblem} from '../../model/names.ts';
import {formatSize, limits, parseSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {emptyField, fieldOf} from './field.ts';
import {type FormField, type FormLayer, formFields} from './model.ts';

export const launchButton = formFields.length;

export function newForm(): FormLayer {
	return {
		kind: 'form',
		fields: {name: emptyField, image: emptyField, cpus: fieldOf('1'), memory: emptyField, disk: emptyField},
		focus: 0,
		isEdited: false,
		suggestion: -1,
		isSending: false,
	};
}

export type FormContext = {
	readonly host: HostFacts | undefined;
	readonly instances: Iterable<InstanceView>;
};

/** What is wrong with each field, in words; a field that is absent is right. */
export function formProblems(form: FormLayer, context: FormContext): Partial<Record<FormField, string>> {
	const problems: Partial<Record<FormField, string>> = {};
	const set = (field: FormField, problem: string | undefined) => {
		if (problem !== undefined) problems[field] = problem;
	};
	set('name', nameTrouble(form.fields.name.text.trim(), context));
	set('image', /\s/.test(form.fields.image.text.trim()) ? 'an image name has no spaces in it' : undefined);
	set('cpus', cpusTrouble(form.fields.cpus.text.trim(), context.host));
	set('memory', sizeTrouble(form.fields.memory.text, limits.memoryMinimum, context.host?.memoryTotal, 'this host has'));
	set('disk', sizeTrouble(form.fields.disk.text, limits.diskMinimum, undefined, ''));
	return problems;
}

function nameTrouble(name: string, {instances}: FormContext): string | undefined {
	if (name === '') return undefined;
	const problem = nameProblem(name);
	if (problem !== undefined) return problem;
	for (const instance of instances) {
		if (instance.name !== name) continue;
		return instance.state === 'Deleted' ? 'this name is in the trash: purge or recover it' : 'this name is taken';
	}
	return undefined;
}

function cpusTrouble(text: string, host: HostFacts | undefined): string | undefined {
	if (text === '') return undefined;
	if (!/^\d+$/.test(text)) return 'not a whole number';
	const count = Number(text);
	if (count < 1) return 'at least 1';
	if (host && count > host.cpus) return `this host has ${host.cpus}`;
	return undefined;
}

function sizeTrouble(text: string, minimum: number, maximum: number | undefined, why: string): string | undefined {
	if (text.trim() === '') return undefined;
	const bytes = parseSize(text);
	if (bytes === undefined) return 'not a size: write 2G, 2048M or 2147483648';
	if (bytes < minimum) return `at least ${formatSize(minimum)}`;
	if (maximum !== undefined && bytes > maximum) return `${why} ${formatSize(maximum)}`;
	return undefined;
}

/** The request of a form without problems. */
export function formRequest(form: FormLayer): Omit<LaunchRequest, 'by'> {
	const text = (field: FormField) => form.fields[field].text.trim();
	const memory = parseSize(text('memory'));
	const disk = parseSize(text('disk'));
	return {
		...(text('image') === '' ? {} : {image: text('image')}),
		...(text('name') === '' ? {} : {name: text('name')}),
		...(text('cpus') === '' ? {} : {cpus: Number(text('cpus'))}),
		...(memory === undefined ? {} : {memory}),
		...(disk === undefined ? {} : {disk}),
	};
}

/** The same on the command line; a field with a problem is shown as `??`. */
export function formCommand(form: FormLayer, problems: Partial<Record<FormField, string>>): string {
	const words = ['drover', 'launch'];
	const value = (field: FormField) => (problems[field] ? '??' : plainLine(form.fields[field].text));
	if (value('image') !== '') words.push(quoted(value('image')));
	for (const [field, flag] of [
		['name', '--name'],
		['cpus', '--cpus'],
		['memory', '--memory'],
		['disk', '--disk'],
	] as const) {
		if (value(field) !== '') words.push(flag, value(field));
	}
	return words.join(' ');
}

function quoted(word: string): string {
	return /^[\w./:@%+=,~-]+$|^\?\?$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Images whose name, alias or description has the typed text in it; none before something is typed. */
export function suggestions(form: FormLayer): readonly ImageInfo[] {
	const text = form.fields.image.text.trim().toLowerCase();
	if (text === '') return [];
	const all = form.images ?? [];
	const found = all.filter(image =>
		[image.name, image.os, image.release, image.description, ...image.aliases].some(word =>
			word.toLowerCase().includes(text),
		),
	);
	// Once a name is typed whole there is nothing left to suggest.
	return (found.length === 1 && found[0]!.name === text ? [] : found).slice(0, 4);
}
