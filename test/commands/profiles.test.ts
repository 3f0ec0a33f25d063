import {describe, expect, test} from 'vitest';
import type {CloudTemplate, Profile} from '../../source/model/profile.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const dev: Profile = {
	name: 'dev',
	description: 'for \u001B[31mwork',
	image: 'noble',
	cpus: 2,
	memory: 2 * gibibyte,
	disk: 20 * gibibyte,
	cloudInit: '',
	mounts: ['~/src', '/data:/srv'],
	networks: ['br0'],
	timeout: 600,
};
const small: Profile = {name: 'small', description: '', cloudInit: 'template:docker', mounts: [], networks: []};

function withProfiles(...problems: readonly string[]) {
	const engine = new FakeEngine();
	engine.knownProfiles = [dev, small];
	engine.profileProblems = problems;
	return engine;
}

describe('profiles', () => {
	test('as a list', async () => {
		const {code, out, err} = await drover(['profiles'], {engine: withProfiles()});
		expect([code, err]).toEqual([0, '']);
		expect(out).toBe(
			[
				'Name   Image  CPUs  Memory  Disk   Cloud-init       Description',
				'dev    noble  2     2.0G    20.0G  in the profile   for work',
				'small  --     --    --      --     template:docker',
				'',
			].join('\n'),
		);
		expect((await drover(['profiles', 'list', '--format', 'json'], {engine: withProfiles()})).out).toBe(
			`${JSON.stringify(
				{
					profiles: [
						{
							name: 'dev',
							description: 'for work',
							image: 'noble',
							cpus: 2,
							memory: 2 * gibibyte,
							disk: 20 * gibibyte,
							mounts: ['~/src', '/data:/srv'],
							networks: ['br0'],
							timeout: 600,
							'cloud-init': true,
						},
						{name: 'small', description: '', mounts: [], networks: [], 'cloud-init': 'template:docker'},
					],
				},
				undefined,
				4,
			)}\n`,
		);
	});

	test('one of them', async () => {
		expect((await drover(['profiles', 'show', 'dev'], {engine: withProfiles()})).out).toBe(
			[
				'Name:           dev',
				'Description:    for work',
				'Image:          noble',
				'CPUs:           2',
				'Memory:         2.0G',
				'Disk:           20.0G',
				'Cloud-init:     in the profile',
				'Mounts:         ~/src',
				'                /data:/srv',
				'Networks:       br0',
				'Timeout:        600 s',
				'',
			].join('\n'),
		);
	});

	test('what is wrong in the file is told beside them', async () => {
		const engine = withProfiles('profiles.yaml, line 7: profiles[2].cpu is not known.');
		const {code, out, err} = await drover(['profiles'], {engine});
		expect(code).toBe(2);
		expect(err).toBe('profiles.yaml, line 7: profiles[2].cpu is not known.\n');
		expect(out).toContain('small');
	});

	test('none', async () => {
		expect(await drover(['profiles'])).toMatchObject({
			code: 0,
			out: 'No profiles found. They are written into profiles.yaml in /config.\n',
		});
	});

	test.each([
		[['profiles', 'new'], /Unknown action "new"/],
		[['profiles', 'show'], /The name of a profile is required/],
		[['profiles', 'list', 'dev'], /Too many arguments/],
		[['profiles', 'show', 'x'], /There is no profile "x"/],
		[['profiles', '--format', 'csv'], /Invalid format/],
	])('%j', async (argv, message) => {
		const {code, err} = await drover(argv, {engine: withProfiles()});
		expect(code).toBe(1);
		expect(err).toMatch(message);
	});
});

describe('launch', () => {
	test('with a profile: what was not asked for is its to say', async () => {
		const engine = withProfiles();
		const {code, out} = await drover(['launch', '--profile', 'dev', '-n', 'web', '-c', '4'], {engine});
		expect(code).toBe(0);
		expect(out).not.toContain('No image was named');
		expect(engine.calls.filter(call => call.method === 'launch')).toEqual([
			{method: 'launch', request: {profile: 'dev', name: 'web', cpus: 4, by: 'kim'}},
		]);
	});

	test('the mounts of its profile are told', async () => {
		const engine = withProfiles();
		const mount = {source: '/data', target: '/srv', type: 'native', uidMap: [], gidMap: []} as const;
		engine.list = async () => [fakeInstance('web', 'Running', {mounts: [mount]})];
		expect((await drover(['launch', '--profile', 'dev', '-n', 'web'], {engine})).out).toContain(
			"Mounted '/data' into 'web:/srv'\n",
		);
	});

	test('with a template: the engine knows its text', async () => {
		const engine = new FakeEngine();
		await drover(['launch', 'micro', '--cloud-init', 'template:docker'], {engine});
		expect(engine.calls.filter(call => call.method === 'launch')).toMatchObject([
			{request: {image: 'micro', template: 'docker'}},
		]);
	});

	test('a profile without a name', async () => {
		expect(await drover(['launch', '--profile', ''])).toMatchObject({code: 1, connections: 0});
	});

	test('the image that was set', async () => {
		const engine = new FakeEngine();
		await engine.set({key: 'local.default-image', value: 'lts', by: 'kim'});
		expect((await drover(['launch', '-n', 'web'], {engine})).out).toMatch(/^No image was named: launching lts\.\n/);
	});
});

describe('templates', () => {
	const engine = new FakeEngine();
	const templates: readonly CloudTemplate[] = [
		{
			name: 'web',
			title: 'A web server',
			about: '',
			file: '/config/cloud-init/web.yaml',
			text: '#cloud-config\na: \u001B[31m1\n',
		},
		{name: 'bad', title: 'bad', about: '', file: '/config/cloud-init/bad.yaml', text: '', problem: 'line 1: no.'},
		{name: 'docker', title: 'Docker', about: 'Debian and Ubuntu', text: 'b: 2\n'},
	];
	engine.knownTemplates = templates;

	test('as a list, and one of them', async () => {
		expect((await drover(['templates'], {engine})).out).toBe(
			[
				'Name    What          About',
				'web     A web server  /config/cloud-init/web.yaml',
				'bad     bad           cannot be used: line 1: no.',
				'docker  Docker        Debian and Ubuntu',
				'',
				'Use one with "drover launch --cloud-init template:<name>".',
				'',
			].join('\n'),
		);
		expect((await drover(['templates', 'show', 'web'], {engine})).out).toBe('#cloud-config\na: 1\n');
		const {out} = await drover(['templates', 'show', 'docker', '--format', 'json'], {engine});
		expect(JSON.parse(out)).toEqual({name: 'docker', title: 'Docker', about: 'Debian and Ubuntu', text: 'b: 2\n'});
	});

	test.each([
		[['templates', 'new'], /Unknown action "new"/],
		[['templates', 'show'], /The name of a template is required/],
		[['templates', 'show', 'x'], /There is no template "x"; there are web, bad and docker\./],
	])('%j', async (argv, message) => {
		const {code, err} = await drover(argv, {engine});
		expect(code).toBe(1);
		expect(err).toMatch(message);
	});
});
