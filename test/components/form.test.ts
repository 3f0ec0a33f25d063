import {describe, expect, test} from 'vitest';
import {fieldOf} from '../../source/components/store/field.ts';
import {chosenOption, type FormRow, focusBy, problemsIn, typeInForm} from '../../source/components/store/form.ts';
import {rowsOf} from '../../source/components/store/forms.ts';
import {
	imageSuggestions,
	launchForm,
	launchLoads,
	launchRequest,
	newLaunchForm,
} from '../../source/components/store/launch-form.ts';
import type {FormLayer, Model} from '../../source/components/store/model.ts';
import type {DriverInfo} from '../../source/engine/engine.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {shellWord} from '../../source/model/text.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {Driven} from './driven.ts';

/** A dashboard of a driver, with an instance and a deleted one. */
async function modelOf(
	driver: DriverInfo = fakeDriver(),
	settings: Readonly<Record<string, string>> = {},
): Promise<Model> {
	const {model} = await Driven.with([fakeInstance('web'), fakeInstance('scratch', 'Deleted')], {driver, settings});
	return model;
}

const model = await modelOf();
const cluster = await modelOf(fakeDriver('lxd'));
const onMacos = await modelOf(fakeDriver('qemu', {classicMountProblem: 'mounts over SSH are not there'}));
const withoutMounts = await modelOf(fakeDriver('lxd'), {'local.privileged-mounts': 'false'});

function filled(values: Readonly<Record<string, string>>, more: Partial<FormLayer> = {}): FormLayer {
	const form = newLaunchForm();
	const fields = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, fieldOf(text)]));
	return {...form, ...more, fields: {...form.fields, ...fields}};
}

const networks = [
	{name: 'br0', type: 'bridge', description: 'the \u001B[31moffice'},
	{name: 'eth1', type: 'ethernet', description: ''},
];

const row = (name: string, form: FormLayer, of: Model = model) => rowsOf(of, form).find(other => other.name === name);
const key = (name: string) => ({name, text: name === 'space' ? ' ' : name.length === 1 ? name : ''});

function problem(name: string, text: string, of: Model = model): string | undefined {
	const found = row(name, filled({[name]: text}), of);
	return found?.kind === 'text' ? found.problem : undefined;
}

describe('problems', () => {
	test.each<[string, string, RegExp | undefined]>([
		['name', '', undefined],
		['name', 'web-2', undefined],
		['name', 'web', /taken/],
		['name', 'scratch', /trash/],
		['name', '1web', /begin with a letter/],
		['name', 'web-', /end with/],
		['cpus', '4', undefined],
		['cpus', '5', /this host has 4/],
		['cpus', '0', /at least 1/],
		['cpus', '1.5', /whole number/],
		['memory', '', undefined],
		['memory', '2G', undefined],
		['memory', '64M', /at least 128M/],
		['memory', '17G', /this host has 16/],
		['memory', '2X', /not a size/],
		['disk', '10G', undefined],
		['disk', '100M', /at least 512M/],
		['image', 'micro', undefined],
		['image', 'two words', /no spaces/],
	])('%s "%s": %s', (name, text, expected) => {
		if (expected === undefined) expect(problem(name, text)).toBeUndefined();
		else expect(problem(name, text)).toMatch(expected);
	});

	test.each<[string, RegExp | undefined]>([
		['', undefined],
		['/srv/data', undefined],
		['~/src:/home/ubuntu/src', undefined],
		['/srv/data:work', undefined],
		['srv/data', /whole path/],
		['/srv:/proc/x', /kernel/],
		['/srv:/home/ubuntu', /home/],
		['/:/', /root/],
		[':/data', /no directory/],
	])('mount "%s": %s', (text, expected) => {
		if (expected === undefined) expect(problem('mount', text, cluster)).toBeUndefined();
		else expect(problem('mount', text, cluster)).toMatch(expected);
	});
});

describe('what a driver has not', () => {
	test.each<[string, Model, RegExp]>([
		['mount', withoutMounts, /mounts are disabled/],
		['mount', onMacos, /mounts over SSH are not there/],
		['network', model, /extra: not supported by QEMU on Linux; supported by QEMU on macOS, LXD/],
	])('has its line, with the reason: %s', (name, of, reason) => {
		const found = row(name, filled({}), of);
		expect(found).toMatchObject({kind: 'fact', note: expect.stringMatching(reason)});
	});

	test('is not asked for', () => {
		expect(launchLoads(model)).toEqual([{type: 'load-images'}, {type: 'load-launch-choices'}]);
		expect(launchLoads(cluster).map(effect => effect.type)).toEqual([
			'load-images',
			'load-launch-choices',
			'load-host-networks',
			'load-members',
		]);
	});

	test('cannot have the keys', () => {
		const form = focusBy({...newLaunchForm(), focus: 'cloud-init'}, rowsOf(model, newLaunchForm()), 1);
		expect(form.focus).toBe('mount');
		expect(focusBy(form, rowsOf(model, form), 1).focus).toBe('submit');
	});

	test('is no choice of members without a cluster', () => {
		expect(row('member', filled({}, {members: []}), cluster)).toBeUndefined();
	});
});

describe('choices', () => {
	const form = filled({}, {networks, members: ['node-1', 'node-2']});

	test('of networks are each on or off, and shown bare', () => {
		const first = row('network br0', form, cluster) as Extract<FormRow, {kind: 'toggle'}>;
		expect(first.note).toBe('br0  bridge, the office');
		const on = typeInForm(form, first, key('space'))!;
		expect(on).toMatchObject({chosen: {networks: ['br0']}, isEdited: true});
		expect(typeInForm(on, first, key('space'))?.chosen['networks']).toEqual([]);
		expect(typeInForm(form, first, key('x'))).toBe(form);
		expect(typeInForm(form, first, key('tab'))).toBeUndefined();
	});

	test('of one go round, and over what cannot be chosen', () => {
		const member = row('member', form, cluster) as Extract<FormRow, {kind: 'choice'}>;
		const chosenBy = (...names: readonly string[]) =>
			names.reduce((layer, name) => typeInForm(layer, member, key(name))!, form).chosen['member']?.[0] ?? '';
		expect(chosenBy()).toBe('');
		expect(chosenBy('right')).toBe('node-1');
		expect(chosenBy('left')).toBe('node-2');
		expect(chosenBy('space', 'space', 'space')).toBe('');
		const options = [
			{value: 'a', label: 'a', reason: 'not here'},
			{value: 'b', label: 'b'},
			{value: 'c', label: 'c', reason: 'not here'},
		];
		expect(chosenOption(form, {name: 'x', options})?.value).toBe('b');
		expect(typeInForm(form, {...member, name: 'x', options}, key('right'))).toBe(form);
	});

	test('are in the request and on the command line', () => {
		const whole = filled(
			{cpus: '', mount: '~/my src:/src'},
			{networks, members: ['node-1'], chosen: {networks: ['br0', 'eth1'], member: ['node-1']}},
		);
		expect(launchRequest(cluster, whole)).toEqual({
			mounts: [{source: '~/my src', target: '/src', type: 'native', uidMap: [], gidMap: []}],
			networks: ['br0', 'eth1'],
			target: 'node-1',
		});
		expect(launchForm.commands(cluster, whole)).toEqual([
			"drover launch --mount ~/'my src:/src' --network br0 --network eth1 --target node-1",
		]);
	});
});

test('the request has only what was given', () => {
	const form = filled({name: 'web-2', cpus: '', memory: '2G'});
	expect(launchRequest(model, form)).toEqual({name: 'web-2', memory: 2 * gibibyte});
});

test('the command line is the same thing, quoted where a shell needs it', () => {
	const form = filled({name: 'web-2', image: 'file:///srv/my image.qcow2', cpus: '2', memory: '2G', disk: '10G'});
	expect(problemsIn(rowsOf(model, form)).map(({name}) => name)).toEqual(['image']);
	expect(launchForm.commands(model, {...form, fields: {...form.fields, image: fieldOf("file:///it's.qcow2")}})).toEqual(
		["drover launch 'file:///it'\\''s.qcow2' --name web-2 --cpus 2 --memory 2G --disk 10G"],
	);
	expect(launchForm.commands(model, filled({memory: '2X'}))).toEqual(['drover launch --memory ??']);
	expect(shellWord('~/a b')).toBe("~/'a b'");
	expect(shellWord('~/src:/x')).toBe('~/src:/x');
});

test('images are suggested by what is typed, until one is typed whole', () => {
	const image = (name: string, description: string) => ({
		name,
		remote: '',
		aliases: [],
		os: 'Ubuntu',
		release: name,
		version: '1',
		description,
		cached: false,
	});
	const images = [image('24.04', 'noble, lts'), image('22.04', 'jammy'), image('micro', 'built here')];
	const named = (text: string) => imageSuggestions(text, images).map(found => found.value);
	expect(named('')).toEqual([]);
	expect(named('04')).toEqual(['24.04', '22.04']);
	expect(named('lts')).toEqual(['24.04']);
	expect(named('micro')).toEqual([]);
	expect(named('zzz')).toEqual([]);
});
