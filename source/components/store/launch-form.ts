import type {LaunchRequest} from '../../engine/engine.ts';
import {driverTitles} from '../../model/driver-name.ts';
import type {ImageInfo} from '../../model/image-info.ts';
import {nameProblem} from '../../model/names.ts';
import {limits, parseSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {whyNoMounts, whyNoNetworks} from './driver-parts.ts';
import {chosenOption, type FormKind, type FormRow, newForm, quoted, type Suggestion, textOf} from './form.ts';
import {cpusNote, cpusProblem, memoryNote, memoryProblem, sizeProblem} from './form-limits.ts';
import type {Effect, FormLayer, Model} from './model.ts';
import {mountFieldOf, mountOf, mountProblem, sourceProblem} from './mount-fields.ts';

export function newLaunchForm(): FormLayer {
	return newForm('launch', {focus: 'name', fields: {name: '', image: '', cpus: '1', memory: '', disk: '', mount: ''}});
}

/** What its choices are made from, asked for as far as the driver has it. */
export function launchLoads({facts}: Model): readonly Effect[] {
	const driver = facts?.driver;
	return [
		{type: 'load-images'},
		...(driver && whyNoNetworks(driver) === undefined ? [{type: 'load-host-networks'} as const] : []),
		...(driver?.features.includes('members') ? [{type: 'load-members'} as const] : []),
	];
}

export const launchForm: FormKind = {
	title: ({facts}) => `Launch an instance on ${facts ? driverTitles[facts.driver.name] : '?'}`,
	isAboutHardware: true,
	button: 'Launch',
	busy: 'Launching ...',
	refused: 'Not launched',
	rows: (model, form) => [
		...hardwareRows(model, form),
		mountRow(model, form),
		...networkRows(model, form),
		...memberRows(form),
	],
	commands: (model, form) => [launchCommand(model, form)],
	request: (model, form) => ({type: 'launch', request: launchRequest(model, form)}),
};

function hardwareRows({facts, roster}: Model, form: FormLayer): readonly FormRow[] {
	const host = facts?.host;
	const text = (name: string) => textOf(form, name);
	const row = (name: string, title: string, note: string, problem: string | undefined) =>
		({kind: 'text', name, title, note, ...(problem === undefined ? {} : {problem})}) as const;
	const image = text('image');
	return [
		row('name', 'Name', 'blank = a generated name', nameTrouble(text('name'), roster.byId.values())),
		{
			...row('image', 'Image', imageNote(form), /\s/.test(image) ? 'an image name has no spaces in it' : undefined),
			suggestions: imageSuggestions(image, form.images ?? []),
		},
		row('cpus', 'CPUs', cpusNote(host), cpusProblem(text('cpus'), host)),
		row('memory', 'Memory', `${memoryNote(host)}; blank = image's`, memoryProblem(text('memory'), host)),
		row('disk', 'Disk', `min 512M, thin; blank = image's`, sizeProblem(text('disk'), limits.diskMinimum)),
	];
}

function nameTrouble(name: string, instances: Iterable<{readonly name: string; readonly state: string}>) {
	if (name === '') return undefined;
	const problem = nameProblem(name);
	if (problem !== undefined) return problem;
	for (const instance of instances) {
		if (instance.name !== name) continue;
		return instance.state === 'Deleted' ? 'this name is in the trash: purge or recover it' : 'this name is taken';
	}
	return undefined;
}

function imageNote(form: FormLayer): string {
	if (form.imagesError) return `the list could not be read: ${plainLine(form.imagesError.message)}`;
	if (!form.images) return 'loading the list ...';
	return `blank = default; type to search ${form.images.length}, file://, https://`;
}

/** Images whose name, alias or description has the typed text in it; none before something is typed. */
export function imageSuggestions(typed: string, images: readonly ImageInfo[]): readonly Suggestion[] {
	const text = typed.toLowerCase();
	if (text === '') return [];
	const found = images.filter(image =>
		[image.name, image.os, image.release, image.description, ...image.aliases].some(word =>
			word.toLowerCase().includes(text),
		),
	);
	// Once a name is typed whole there is nothing left to suggest.
	const open = found.length === 1 && found[0]!.name === typed ? [] : found;
	return open.slice(0, 4).map(image => ({
		value: plainLine(image.name),
		about: `${plainLine(image.description || image.release)}, ${image.cached ? 'cached' : 'to fetch'}`,
	}));
}

function mountRow({facts}: Model, form: FormLayer): FormRow {
	const reason = facts ? whyNoMounts(facts) : undefined;
	if (reason !== undefined) return {kind: 'fact', name: 'mount', title: 'Mount', note: reason};
	const {source, target} = mountFieldOf(form);
	const problem =
		source === '' && target !== ''
			? 'no directory of this host'
			: (sourceProblem(source) ?? mountProblem(source, target));
	return {
		kind: 'text',
		name: 'mount',
		title: 'Mount',
		note: 'directory[:where in the guest]',
		...(problem === undefined ? {} : {problem}),
	};
}

/** Each network of the host is a row: the first interface is there anyway. */
function networkRows({facts}: Model, form: FormLayer): readonly FormRow[] {
	const fact = (note: string) => [{kind: 'fact', name: 'network', title: 'Network', note} as const];
	const reason = facts ? whyNoNetworks(facts.driver) : undefined;
	if (reason !== undefined) return fact(reason);
	if (form.networksError) return fact(plainLine(form.networksError.message));
	if (!form.networks) return fact('loading the list ...');
	if (form.networks.length === 0) return fact('no further network on this host');
	return form.networks.map(({name, type, description}, index) => ({
		kind: 'toggle',
		name: `network ${name}`,
		title: index === 0 ? 'Network' : '',
		group: 'networks',
		value: name,
		note: plainLine(`${name}  ${type}${description === '' ? '' : `, ${description}`}`),
	}));
}

/** Where in a cluster; where there is none there is nothing to choose. */
function memberRows({members = []}: FormLayer): ReadonlyArray<Extract<FormRow, {kind: 'choice'}>> {
	if (members.length === 0) return [];
	const options = [{value: '', label: 'any'}, ...members.map(member => ({value: member, label: plainLine(member)}))];
	return [{kind: 'choice', name: 'member', title: 'Member', options, note: 'left, right'}];
}

/** The request of a form without problems. */
export function launchRequest({facts}: Model, form: FormLayer): Omit<LaunchRequest, 'by'> {
	const text = (name: string) => textOf(form, name);
	const memory = parseSize(text('memory'));
	const disk = parseSize(text('disk'));
	const {source, target} = mountFieldOf(form);
	const networks = form.chosen['networks'] ?? [];
	const member = memberOf(form);
	return {
		...(text('image') === '' ? {} : {image: text('image')}),
		...(text('name') === '' ? {} : {name: text('name')}),
		...(text('cpus') === '' ? {} : {cpus: Number(text('cpus'))}),
		...(memory === undefined ? {} : {memory}),
		...(disk === undefined ? {} : {disk}),
		...(source === '' || !facts ? {} : {mounts: [mountOf(form, {source, target}, facts)]}),
		...(networks.length === 0 ? {} : {networks}),
		...(member === '' ? {} : {target: member}),
	};
}

function memberOf(form: FormLayer): string {
	const [row] = memberRows(form);
	return row ? (chosenOption(form, row)?.value ?? '') : '';
}

function launchCommand(model: Model, form: FormLayer): string {
	const wrong = new Set(
		launchForm.rows(model, form).flatMap(row => (row.kind === 'text' && row.problem !== undefined ? [row.name] : [])),
	);
	const value = (name: string) => (wrong.has(name) ? '??' : plainLine(textOf(form, name)));
	const words = ['drover', 'launch'];
	if (value('image') !== '') words.push(quoted(value('image')));
	for (const name of ['name', 'cpus', 'memory', 'disk', 'mount']) {
		if (value(name) !== '') words.push(`--${name}`, quoted(value(name)));
	}
	for (const network of form.chosen['networks'] ?? []) words.push('--network', quoted(plainLine(network)));
	const member = memberOf(form);
	if (member !== '') words.push('--target', quoted(plainLine(member)));
	return words.join(' ');
}
