import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {fieldOf} from '../../source/components/store/field.ts';
import {problemsIn} from '../../source/components/store/form.ts';
import {rowsOf} from '../../source/components/store/forms.ts';
import {launchForm, launchRequest, newLaunchForm} from '../../source/components/store/launch-form.ts';
import type {FormLayer} from '../../source/components/store/model.ts';
import type {CloudTemplate, Profile} from '../../source/model/profile.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {readLastLaunch, writeLastLaunch} from '../../source/state/last-launch.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {keys} from '../support/screen.ts';
import {Driven} from './driven.ts';
import {open, openWith} from './opened.ts';

const dev: Profile = {
	name: 'dev',
	description: '',
	image: 'noble',
	cpus: 2,
	memory: 2 * gibibyte,
	cloudInit: '',
	mounts: [],
	networks: [],
};
const templates: readonly CloudTemplate[] = [
	{name: 'docker', title: 'Docker', about: 'Debian and Ubuntu', text: ''},
	{name: 'bad', title: 'bad', about: '', file: '/c/bad.yaml', text: '', problem: 'line 1: no.'},
];

const {model} = await Driven.with([fakeInstance('web')]);
const {model: onLxd} = await Driven.with([], {driver: fakeDriver('lxd')});
const {model: withoutMounts} = await Driven.with([], {settings: {'local.privileged-mounts': 'false'}});

function filled(values: Readonly<Record<string, string>>, more: Partial<FormLayer> = {}): FormLayer {
	const form = newLaunchForm();
	const fields = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, fieldOf(text)]));
	return {...form, profiles: [dev], templates, ...more, fields: {...form.fields, ...fields}};
}

const row = (name: string, form: FormLayer, of = model) => rowsOf(of, form).find(other => other.name === name);
const note = (name: string, form: FormLayer) => row(name, form)?.note;

describe('a profile', () => {
	const chosen = {chosen: {profile: ['dev']}};

	test('is a choice where there are any', () => {
		expect(row('profile', filled({}, {profiles: []}))).toBeUndefined();
		expect(row('profile', filled({}))).toMatchObject({kind: 'choice', options: [{label: 'none'}, {label: 'dev'}]});
		expect(row('profile', filled({}, {profiles: [], profileProblems: ['profiles.yaml, line 3: no.']}))).toMatchObject({
			kind: 'fact',
			note: 'profiles.yaml, line 3: no.',
		});
	});

	test('has its say in what is blank, which is told beside each field', () => {
		expect(note('cpus', filled({}))).toBe('1-4; blank = 1');
		expect(note('cpus', filled({}, chosen))).toBe('blank = 2 (dev); 1-4');
		expect(note('memory', filled({}, chosen))).toMatch(/^blank = 2\.0G \(dev\); min 128M/);
		expect(note('image', filled({}, {...chosen, images: []}))).toBe('blank = noble (dev); type to search 0');
		expect(note('image', filled({}, {images: []}))).toBe('type to search 0; blank = default');
		expect(row('cloud-init', filled({}, chosen))).toMatchObject({options: [{label: 'as dev has it'}, {}, {}, {}]});
	});

	test('is in the request and on the command line', () => {
		const form = filled({name: 'x', memory: '1G'}, chosen);
		expect(launchRequest(model, form)).toEqual({profile: 'dev', name: 'x', memory: gibibyte});
		expect(launchForm.commands(model, form)).toEqual(['drover launch --profile dev --name x --memory 1G']);
	});

	test('that is gone meanwhile is none', () => {
		expect(launchRequest(model, filled({}, {chosen: {profile: ['gone']}}))).toEqual({});
	});
});

describe('cloud-init', () => {
	const withFile = (source: string, cloudInit?: FormLayer['cloudInit']) =>
		filled({'cloud-init-file': source}, {chosen: {'cloud-init': ['file']}, ...(cloudInit ? {cloudInit} : {})});

	test('is none, a template, or a file', () => {
		expect(row('cloud-init', filled({}))).toMatchObject({
			options: [
				{value: '', label: 'none'},
				{value: 'template:docker', label: 'Docker'},
				{value: 'template:bad', label: 'bad', reason: 'line 1: no.'},
				{value: 'file', label: 'a file or address'},
			],
		});
		expect(row('cloud-init-file', filled({}))).toBeUndefined();
		const form = filled({}, {chosen: {'cloud-init': ['template:docker']}});
		expect(note('cloud-init', form)).toBe('Debian and Ubuntu');
		expect(launchRequest(model, form)).toEqual({template: 'docker'});
		expect(launchForm.commands(model, form)).toEqual(['drover launch --cloud-init template:docker']);
		expect(launchForm.request(model, form)).toEqual({
			type: 'launch',
			request: {template: 'docker'},
			keep: {'cloud-init': 'template:docker'},
		});
	});

	test('a file gets a row of its own, and is looked at', () => {
		expect(problemsIn(rowsOf(model, withFile(''))).map(({problem}) => problem)).toEqual(['which file, or address?']);
		expect(problemsIn(rowsOf(model, withFile('-')))).toHaveLength(1);
		expect(note('cloud-init-file', withFile('~/a.yaml'))).toBe('looking at it ...');
		expect(note('cloud-init-file', withFile('~/a.yaml', {source: '~/b.yaml', problem: 'old'}))).toBe(
			'looking at it ...',
		);
		expect(note('cloud-init-file', withFile('~/a.yaml', {source: '~/a.yaml', note: 'ok, 3 lines'}))).toBe(
			'ok, 3 lines',
		);
		const wrong = withFile('a.yaml', {source: 'a.yaml', problem: 'line 2: no\u001B[31m.'});
		expect(row('cloud-init-file', wrong)).toMatchObject({problem: 'line 2: no.'});
		expect(launchForm.commands(model, wrong)).toEqual(['drover launch --cloud-init ??']);
		expect(launchForm.request(model, withFile('~/a.yaml'))).toMatchObject({request: {}, cloudInit: '~/a.yaml'});
		expect(launchForm.commands(model, withFile('~/a.yaml'))).toEqual(['drover launch --cloud-init ~/a.yaml']);
	});
});

describe('what is found out while one types', () => {
	const images = [
		{
			name: '24.04',
			remote: 'release',
			aliases: ['noble'],
			os: 'Ubuntu',
			release: '24.04',
			version: '1',
			description: '',
			cached: false,
		},
	];
	const asks = (before: FormLayer, after: FormLayer) => launchForm.asks!(before, after);
	const typed = (image: string, more: Partial<FormLayer> = {}) => filled({image}, {images, ...more});

	test('what the list has not is searched for', () => {
		expect(asks(typed('4a'), typed('4a7'))).toEqual([{type: 'search-images', query: '4a7'}]);
		for (const known of ['nob', 'ab', '24.04', 'file:///x', 'https://x', 'a b c'])
			expect(asks(typed(''), typed(known))).toEqual([]);
		expect(asks(typed('4a7'), typed('4a7'))).toEqual([]);
	});

	test('and suggested, as long as it is about what stands there', () => {
		const found = {
			query: '4a7',
			images: [{...images[0]!, name: 'devel', remote: 'daily', description: 'Ubuntu 26.10'}],
		};
		expect(row('image', typed('4a7', {found}))).toMatchObject({
			suggestions: [{value: 'daily:devel', about: 'Ubuntu 26.10, to fetch'}],
		});
		expect(row('image', typed('4a7f', {found}))).toMatchObject({suggestions: []});
	});

	test('a file is looked at when another one is named', () => {
		const file = (source: string) => filled({'cloud-init-file': source});
		expect(asks(file(''), file('a'))).toEqual([{type: 'check-cloud-init', source: 'a'}]);
		expect(asks(file('a'), file('a'))).toEqual([]);
		expect(asks(file('a'), file(''))).toEqual([]);
	});
});

describe('the primary instance', () => {
	test('gets the home directory where there are mounts', () => {
		const form = filled({name: 'primary'});
		expect(row('mount', form, onLxd)?.note).toBe('blank = your home directory, as Home');
		expect(launchRequest(onLxd, form)).toMatchObject({mounts: [{source: '~', target: 'Home', type: 'native'}]});
		expect(launchRequest(model, form)).toMatchObject({mounts: [{source: '~', target: 'Home', type: 'classic'}]});
		expect(launchRequest(withoutMounts, form)).toEqual({name: 'primary'});
		expect(launchRequest(onLxd, filled({name: 'primary', mount: '/srv'}))).toMatchObject({mounts: [{source: '/srv'}]});
		expect(launchRequest(onLxd, filled({name: 'other'})).mounts).toBeUndefined();
	});
});

describe('what was launched last', () => {
	const last = {image: 'noble', memory: '2G', 'cloud-init': 'template:docker', profile: 'dev'};

	test('stands in the form, but for what somebody has typed already', async () => {
		const driven = await Driven.with([fakeInstance('web')]);
		driven.press('n').send({type: 'last-launch', values: last});
		const form = driven.top as FormLayer;
		expect(form.fields['image']?.text).toBe('noble');
		expect(form.chosen).toMatchObject({profile: ['dev'], 'cloud-init': ['template:docker']});
		expect(form.isEdited).toBe(false);
		const typing = await Driven.with([fakeInstance('web')]);
		typing.press('n', 'x', 'tab', 'j').send({type: 'last-launch', values: last});
		expect((typing.top as FormLayer).fields).toMatchObject({
			name: {text: 'x'},
			image: {text: 'j'},
			memory: {text: '2G'},
		});
		const other = await Driven.with([fakeInstance('web')]);
		expect(other.send({type: 'last-launch', values: last}).top).toBeUndefined();
	});

	test('is kept in a file of the user’s; one that cannot be read is none', async () => {
		const paths = scratchPaths();
		expect(await readLastLaunch(paths)).toEqual({});
		await writeLastLaunch(paths, last);
		expect(await readLastLaunch(paths)).toEqual(last);
		writeFileSync(path.join(paths.data, 'launch-form.json'), '{"image": 7}');
		expect(await readLastLaunch(paths)).toEqual({});
	});
});

describe('on the screen', () => {
	test('profile, template and what was launched last', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web')]});
		engine.knownProfiles = [dev];
		engine.knownTemplates = templates;
		const kept: unknown[] = [];
		const screen = open(engine, {
			memory: {read: async () => ({disk: '9G'}), write: async values => void kept.push(values)},
		});
		await screen.waitFor('web');
		await screen.press('n');
		await screen.waitFor('9G');
		await screen.press('\u001B[Z', keys.right);
		await screen.waitFor('blank = 2.0G (dev)');
		await screen.press(...Array(6).fill(keys.tab), keys.right);
		await screen.waitFor('drover launch --profile dev --disk 9G --cloud-init template:docker');
		await screen.press(keys.tab, keys.tab, keys.enter);
		await screen.waitFor('launch amber-otter: done');
		expect(engine.calls.find(({method}) => method === 'launch')?.request).toEqual({
			profile: 'dev',
			template: 'docker',
			disk: 9 * gibibyte,
			by: 'kim',
		});
		expect(kept).toEqual([{disk: '9G', profile: 'dev', 'cloud-init': 'template:docker'}]);
	});

	test('a file is read by whoever names it', async () => {
		const directory = mkdtempSync(path.join(tmpdir(), 'drover-form-'));
		onTestFinished(() => rmSync(directory, {recursive: true}));
		writeFileSync(path.join(directory, 'a.yaml'), '#cloud-config\npackages: [curl]\n');
		const {engine, screen} = await openWith([fakeInstance('web')]);
		await screen.press('n', ...Array(5).fill(keys.tab), keys.left);
		await screen.waitFor('which file, or address?');
		await screen.press(...Array(3).fill(keys.tab), keys.enter);
		await screen.waitFor('To fix first: Cloud-init.');
		expect(screen.text()).toContain('1 problem to fix: Cloud-init');
		await screen.press(...Array(3).fill('\u001B[Z'));
		await screen.press(keys.tab, ...path.join(directory, 'b.yaml'));
		await screen.waitFor('no such file');
		await screen.press(keys.ctrlU, ...path.join(directory, 'a.yaml'));
		await screen.waitFor('ok, 2 lines');
		await screen.press(keys.tab, keys.tab, keys.enter);
		await screen.waitFor('launch amber-otter: done');
		expect(engine.calls.find(({method}) => method === 'launch')?.request).toEqual({
			cloudInit: '#cloud-config\npackages: [curl]\n',
			by: 'kim',
		});
	});

	test('an image that is in no list is searched for', async () => {
		const {engine, screen} = await openWith([fakeInstance('web')]);
		engine.find = async ({query}) => ({
			images:
				query === '4a7'
					? [{...engine.known[0]!, name: 'devel', remote: 'daily', description: 'Ubuntu 26.10'}]
					: engine.known,
			notes: [],
		});
		await screen.press('n', keys.tab, ...'4a7');
		await screen.waitFor(/daily:devel +Ubuntu 26\.10/);
		await screen.press(keys.down, keys.enter);
		await screen.waitFor('drover launch daily:devel');
	});

	test('opened before the daemon is there it stays, and gets its choices when that comes', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web')]});
		engine.knownProfiles = [dev];
		const {promise: there, resolve: arrive} = Promise.withResolvers<void>();
		const screen = open(engine, {connect: () => there.then(() => ({engine, closed: new Promise(() => {})}))});
		await screen.waitFor('Connecting');
		await screen.press('n');
		await screen.waitFor('Launch an instance');
		await screen.press('n');
		arrive();
		await screen.waitFor(/Profile .*dev/);
		expect(screen.text()).toContain('Launch an instance on QEMU');
	});
});
