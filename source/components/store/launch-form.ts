import type {LaunchRequest} from '../../engine/engine.ts';
import {driverTitles} from '../../model/driver-name.ts';
import type {ImageInfo} from '../../model/image-info.ts';
import type {Mount} from '../../model/mount.ts';
import {nameProblem} from '../../model/names.ts';
import {templateName} from '../../model/profile.ts';
import {limits, parseSize} from '../../model/sizes.ts';
import {plainLine, shellWord} from '../../model/text.ts';
import {whyNoMounts, whyNoNetworks} from './driver-parts.ts';
import {chosenOption, type FormKind, type FormRow, newForm, type Suggestion, textOf} from './form.ts';
import {cpusNote, cpusProblem, memoryNote, memoryProblem, sizeProblem} from './form-limits.ts';
import {cloudInitRows, cloudInitSource, fromProfile, profileOf, profileRows, valuesToKeep} from './launch-choices.ts';
import type {Effect, Facts, FormLayer, Model} from './model.ts';
import {mountFieldOf, mountOf, mountProblem, sourceProblem} from './mount-fields.ts';

export function newLaunchForm(): FormLayer {
	const fields = {name: '', image: '', cpus: '', memory: '', disk: '', mount: '', 'cloud-init-file': ''};
	return newForm('launch', {focus: 'name', fields});
}

/** What its choices are made from, asked for as far as the driver has it. */
export function launchLoads({facts}: Model): readonly Effect[] {
	const driver = facts?.driver;
	return [
		{type: 'load-images'},
		{type: 'load-launch-choices'},
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
		...profileRows(form),
		...hardwareRows(model, form),
		...cloudInitRows(form),
		mountRow(model, form),
		...networkRows(model, form),
		...memberRows(form),
	],
	commands: (model, form) => [launchCommand(model, form)],
	asks,
	request: (model, form) => {
		const source = cloudInitSource(form);
		const isFile = source !== '' && templateName(source) === undefined;
		return {
			type: 'launch',
			request: launchRequest(model, form),
			...(isFile ? {cloudInit: source} : {}),
			keep: valuesToKeep(form),
		};
	},
};

/** What the list has not is searched for, and a file is looked at while there is time to put it right. */
function asks(before: FormLayer, after: FormLayer): readonly Effect[] {
	const image = textOf(after, 'image');
	const isSearch = image.length >= 3 && !image.includes('://') && !/\s/.test(image);
	const isUnknown = isSearch && imageSuggestions(image, after.images ?? []).length === 0 && !isListed(after, image);
	const source = textOf(after, 'cloud-init-file');
	return [
		...(isUnknown && image !== textOf(before, 'image') ? [{type: 'search-images', query: image} as const] : []),
		...(source !== '' && source !== '-' && source !== textOf(before, 'cloud-init-file')
			? [{type: 'check-cloud-init', source} as const]
			: []),
	];
}

const isListed = ({images = []}: FormLayer, name: string) => images.some(image => image.name === name);

function hardwareRows({facts, roster}: Model, form: FormLayer): readonly FormRow[] {
	const host = facts?.host;
	/** What a profile says comes first: where there is little room it is what matters. */
	const note = (name: 'image' | 'cpus' | 'memory' | 'disk', limits: string, usual: string) => {
		const own = fromProfile(form, name);
		return own === undefined ? `${limits}; blank = ${usual}` : `blank = ${own}; ${limits}`;
	};
	const text = (name: string) => textOf(form, name);
	const row = (name: string, title: string, note: string, problem: string | undefined) =>
		({kind: 'text', name, title, note, ...(problem === undefined ? {} : {problem})}) as const;
	const image = text('image');
	return [
		row('name', 'Name', 'blank = a generated name', nameTrouble(text('name'), roster.byId.values())),
		{
			...row(
				'image',
				'Image',
				imageProblem(form) ??
					note(
						'image',
						`type to search ${form.images?.length ?? 0}`,
						plainLine(facts?.settings['local.default-image'] ?? 'default'),
					),
				/\s/.test(image) ? 'an image name has no spaces in it' : undefined,
			),
			suggestions: suggestions(form, image),
		},
		row('cpus', 'CPUs', note('cpus', cpusNote(host), '1'), cpusProblem(text('cpus'), host)),
		row('memory', 'Memory', note('memory', memoryNote(host), "image's"), memoryProblem(text('memory'), host)),
		row('disk', 'Disk', note('disk', 'min 512M, thin', "image's"), sizeProblem(text('disk'), limits.diskMinimum)),
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

/** Why there is nothing to search in. */
function imageProblem(form: FormLayer): string | undefined {
	if (form.imagesError) return `the list could not be read: ${plainLine(form.imagesError.message)}`;
	return form.images ? undefined : 'loading the list ...';
}

/** From the list, or what was searched for where that has none. */
function suggestions(form: FormLayer, typed: string): readonly Suggestion[] {
	const listed = imageSuggestions(typed, form.images ?? []);
	if (listed.length > 0 || form.found === undefined || form.found.query !== typed) return listed;
	return form.found.images
		.filter(image => fullName(image) !== typed)
		.slice(0, 4)
		.map(suggestionOf);
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
	return open.slice(0, 4).map(suggestionOf);
}

function suggestionOf(image: ImageInfo): Suggestion {
	return {
		value: fullName(image),
		about: `${plainLine(image.description || image.release)}, ${image.cached ? 'cached' : 'to fetch'}`,
	};
}

/** What `launch` takes: with its remote where the name alone leads to another. */
function fullName({name, remote}: ImageInfo): string {
	return plainLine(remote === 'daily' ? `${remote}:${name}` : name);
}

function mountRow({facts}: Model, form: FormLayer): FormRow {
	const reason = facts ? whyNoMounts(facts) : undefined;
	if (reason !== undefined) return {kind: 'fact', name: 'mount', title: 'Mount', note: reason};
	const {source, target} = mountFieldOf(form);
	const isHome = isPrimary(facts, form) && source === '' && target === '';
	const problem =
		source === '' && target !== ''
			? 'no directory of this host'
			: (sourceProblem(source) ?? mountProblem(source, target));
	return {
		kind: 'text',
		name: 'mount',
		title: 'Mount',
		note: isHome ? 'blank = your home directory, as Home' : 'directory[:where in the guest]',
		...(problem === undefined ? {} : {problem}),
	};
}

/** Whether it will be the instance that commands without a name are about. */
function isPrimary(facts: Model['facts'], form: FormLayer): boolean {
	const name = textOf(form, 'name');
	return name !== '' && name === facts?.settings['client.primary-name'];
}

/** The primary instance sees its user's home directory, as when the command line launches it. */
function mountsOf(facts: Facts, form: FormLayer): readonly Mount[] {
	const {source, target} = mountFieldOf(form);
	if (source !== '') return [mountOf(form, {source, target}, facts)];
	const hasHome = isPrimary(facts, form) && (profileOf(form)?.mounts.length ?? 0) === 0;
	return hasHome && whyNoMounts(facts) === undefined ? [mountOf(form, {source: '~', target: 'Home'}, facts)] : [];
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
	const mounts = facts ? mountsOf(facts, form) : [];
	const networks = form.chosen['networks'] ?? [];
	const member = memberOf(form);
	const profile = profileOf(form);
	const template = templateName(cloudInitSource(form));
	return {
		...(profile === undefined ? {} : {profile: profile.name}),
		...(template === undefined ? {} : {template}),
		...(text('image') === '' ? {} : {image: text('image')}),
		...(text('name') === '' ? {} : {name: text('name')}),
		...(text('cpus') === '' ? {} : {cpus: Number(text('cpus'))}),
		...(memory === undefined ? {} : {memory}),
		...(disk === undefined ? {} : {disk}),
		...(mounts.length === 0 ? {} : {mounts}),
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
	if (value('image') !== '') words.push(shellWord(value('image')));
	const profile = profileOf(form);
	if (profile !== undefined) words.push('--profile', shellWord(plainLine(profile.name)));
	const cloudInit = wrong.has('cloud-init-file') ? '??' : plainLine(cloudInitSource(form));
	for (const name of ['name', 'cpus', 'memory', 'disk']) {
		if (value(name) !== '') words.push(`--${name}`, shellWord(value(name)));
	}
	if (cloudInit !== '') words.push('--cloud-init', shellWord(cloudInit));
	if (value('mount') !== '') words.push('--mount', shellWord(value('mount')));
	for (const network of form.chosen['networks'] ?? []) words.push('--network', shellWord(plainLine(network)));
	const member = memberOf(form);
	if (member !== '') words.push('--target', shellWord(plainLine(member)));
	return words.join(' ');
}
