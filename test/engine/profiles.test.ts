import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {homedir} from 'node:os';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Engine, LaunchRequest} from '../../source/engine/engine.ts';
import {findProfile, listProfiles} from '../../source/engine/launching/profiles.ts';
import {cloudTemplates} from '../../source/engine/launching/templates.ts';
import {wishesOf} from '../../source/engine/launching/wishes.ts';
import {checkCloudConfig} from '../../source/guest/seed.ts';
import {shippedTemplates} from '../../source/guest/templates.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {instanceDirectory, makePrivate, type Paths} from '../../source/state/paths.ts';
import {simulatedEngine, simulatedImages} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';

const by = 'kim';

function home(files: Readonly<Record<string, string>>): Paths {
	const paths = scratchPaths();
	makePrivate(paths.config);
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(path.dirname(path.join(paths.config, name)), {recursive: true});
		writeFileSync(path.join(paths.config, name), text);
	}
	return paths;
}

const dev = `profiles:
  - name: dev
    description: for work
    image: noble
    cpus: 2
    memory: 2G
    disk: 20g
    cloud-init:
      # The user's own words stay as they are.
      packages: [git]
      write_files:
        - path: /etc/a
          permissions: 0644
    mounts: ["~/src:/srv/src", /data]
    networks: [br0, "name=br1,mode=manual"]
    bridged: true
    target: node-1
    timeout: 600
  - name: small
    memory: 256M
    cloud-init: small.yaml
  - name: dock
    cloud-init: template:docker
`;

const files = {'profiles.yaml': dev, 'small.yaml': '#cloud-config\nruncmd: [x]\n'};

describe('a file of profiles', () => {
	test('is read, and shown without what is in cloud-configs', async () => {
		const paths = home(files);
		expect(await listProfiles(paths)).toEqual({
			directory: paths.config,
			problems: [],
			profiles: [
				{
					name: 'dev',
					description: 'for work',
					image: 'noble',
					cpus: 2,
					memory: 2 * gibibyte,
					disk: 20 * gibibyte,
					cloudInit: '',
					mounts: ['~/src:/srv/src', '/data'],
					networks: ['br0', 'name=br1,mode=manual'],
					bridged: true,
					target: 'node-1',
					timeout: 600,
				},
				{name: 'small', description: '', memory: 2 ** 28, cloudInit: 'small.yaml', mounts: [], networks: []},
				{name: 'dock', description: '', cloudInit: 'template:docker', mounts: [], networks: []},
			],
		});
	});

	test('a cloud-config in it keeps its words', async () => {
		const paths = home(files);
		const {cloudInitText = ''} = await findProfile(paths, 'dev');
		await checkCloudConfig(cloudInitText);
		expect(cloudInitText).toMatch(/^ {6}packages: \[git\]\n {6}write_files:\n[\s\S]*permissions: 0644/);
		expect((await findProfile(paths, 'small')).cloudInitText).toBe(files['small.yaml']);
	});

	test('JSON will do as well', async () => {
		const profiles = [
			{name: 'a', 'cloud-init': {packages: ['git']}},
			{name: 'b', 'cloud-init': 'a: 1\nb: 2\n'},
		];
		const paths = home({'profiles.json': JSON.stringify({profiles}, undefined, 2)});
		expect((await listProfiles(paths)).problems).toEqual([]);
		await checkCloudConfig((await findProfile(paths, 'a')).cloudInitText!);
		expect((await findProfile(paths, 'b')).cloudInitText).toBe('a: 1\nb: 2\n');
	});

	test.each<[string, RegExp]>([
		['name: a\n    cpu: 2', /line 3: profiles\[0\]\.cpu is not known\./],
		['name: a\n    cpus: 0', /line 3: profiles\[0\]\.cpus must be a whole number, at least 1\./],
		['name: a\n    cpus: two', /line 3: profiles\[0\]\.cpus must be a whole number/],
		['name: a\n    memory: 1T', /line 3: profiles\[0\]\.memory must be a size, such as 2G\./],
		['name: a\n    memory: 64M', /line 3: profiles\[0\]\.memory must be at least 128M\./],
		['name: a b', /line 2: profiles\[0\]\.name must be letters, digits, dots, hyphens\./],
		['image: micro', /line 2: profiles\[0\]\.name is missing\./],
		['name: a\n    networks: ["mode=auto"]', /line 3: Bad network definition, need at least a name\./],
		[
			'name: a\n    mounts:\n      - /ok\n      - src',
			/line 5: profiles\[0\]\.mounts\[1\] must begin with a whole path/,
		],
		[
			'name: a\n    cloud-init: nowhere.yaml',
			/line 3: profiles\[0\]\.cloud-init cannot be used: .*nowhere\.yaml: there is no such file/,
		],
		[
			'name: a\n    cloud-init: template:nothing',
			/line 3: profiles\[0\]\.cloud-init names a template that there is not\./,
		],
		[
			'name: a\n    cloud-init: {user: bob}',
			/line 3: profiles\[0\]\.cloud-init cannot be used: "user" gives the default user another name\./,
		],
		['name: other', /line 4: the name other is there twice\./],
	])('%j is told with its line, and the others stay', async (text, problem) => {
		const other =
			text === 'name: other' ? `  - name: other\n    cpus: 1\n  - ${text}` : `  - ${text}\n  - name: other\n`;
		const {profiles, problems} = await listProfiles(home({'profiles.yaml': `profiles:\n${other}`}));
		expect(problems).toEqual([expect.stringMatching(problem)]);
		expect(profiles.map(({name}) => name)).toEqual(['other']);
	});

	test.each<[string, RegExp]>([
		['profiles: [', /^profiles\.yaml, line 1: /],
		['- a', /line 1: it must have a list called profiles\./],
		['', /it must have a list called profiles\./],
	])('%j is no such file', async (text, problem) => {
		const {profiles, problems} = await listProfiles(home({'profiles.yaml': text}));
		expect([profiles, problems]).toEqual([[], [expect.stringMatching(problem)]]);
	});

	test('none is there', async () => {
		expect(await listProfiles(scratchPaths())).toMatchObject({profiles: [], problems: []});
	});
});

describe('templates', () => {
	test('those that come with drover can be used, for any user', async () => {
		for (const user of ['ubuntu', 'debian']) {
			for (const {text} of shippedTemplates(user)) await checkCloudConfig(text, user);
		}
		expect(shippedTemplates('debian').find(({name}) => name === 'docker')?.text).toContain(
			'[usermod, -aG, docker, debian]',
		);
	});

	test('the user’s own come first, and in the place of one of the same name', async () => {
		const paths = home({
			'cloud-init/web.yaml': '#cloud-config\n# A web server\npackages: [nginx]\n',
			'cloud-init/docker.yml': 'packages: [docker-ce]\n',
			'cloud-init/bad.yaml': 'packages: [\n',
			'cloud-init/long.yaml': 'x'.repeat(70_000),
			'cloud-init/notes.txt': 'none',
			'cloud-init/.hidden.yaml': 'a: 1',
		});
		const found = await cloudTemplates(paths);
		expect(found.slice(0, 4).map(({name, title, problem}) => [name, title, problem])).toEqual([
			['bad', 'bad', expect.stringMatching(/^line \d: /)],
			['docker', 'docker', undefined],
			['long', 'long', 'it is longer than 64 KiB.'],
			['web', 'A web server', undefined],
		]);
		expect(found.filter(({name}) => name === 'docker')).toHaveLength(1);
		expect(found.map(({name}) => name)).toContain('podman');
	});
});

describe('what a launch comes to', () => {
	const wishes = (request: Omit<LaunchRequest, 'by'>, mountType: 'native' | 'classic' = 'native') =>
		wishesOf({paths: home(files), setting: () => 'standard', mountType}, {by, ...request});

	test('a profile fills in what was not asked for', async () => {
		const maps = {uidMap: [], gidMap: []};
		expect(await wishes({profile: 'dev'})).toEqual({
			by,
			image: 'noble',
			cpus: 2,
			memory: 2 * gibibyte,
			disk: 20 * gibibyte,
			cloudInit: expect.stringContaining('packages: [git]'),
			mounts: [
				{source: path.join(homedir(), 'src'), target: '/srv/src', type: 'native', ...maps},
				{source: '/data', target: '', type: 'native', ...maps},
			],
			networks: ['br0', 'name=br1,mode=manual'],
			bridged: true,
			target: 'node-1',
			answerTimeout: 600,
		});
		expect((await wishes({profile: 'dev'}, 'classic')).mounts).toMatchObject([{type: 'classic'}, {type: 'classic'}]);
	});

	test('what was asked for goes first', async () => {
		const asked = {
			image: 'micro',
			cpus: 1,
			memory: 2 ** 29,
			networks: ['br7'],
			template: 'podman',
			answerTimeout: 400,
			mounts: [],
		};
		expect(await wishes({profile: 'dev', ...asked})).toEqual({by, ...asked, disk: 20 * gibibyte, target: 'node-1'});
		expect(await wishes({profile: 'dock'})).toEqual({by, image: 'standard', template: 'docker'});
		expect(await wishes({profile: 'dock', cloudInit: 'a: 1'})).toEqual({by, image: 'standard', cloudInit: 'a: 1'});
		expect(await wishes({})).toEqual({by, image: 'standard'});
	});

	test.each<[Omit<LaunchRequest, 'by'>, RegExp]>([
		[{profile: 'nothing'}, /^There is no profile "nothing"; there are dev, small and dock\.$/],
		[{cloudInit: 'a: 1', template: 'docker'}, /^A launch takes one cloud-config/],
	])('%j is refused', async (request, message) => {
		await expect(wishes(request)).rejects.toMatchObject({
			code: 'usage.invalid',
			message: expect.stringMatching(message),
		});
	});
});

describe('a launch', () => {
	const record = (paths: Paths): InstanceRecord =>
		JSON.parse(readFileSync(`${instanceDirectory(paths, 'qemu', 'web')}/instance.json`, 'utf8'));
	const cloudInit = (paths: Paths) =>
		readFileSync(`${instanceDirectory(paths, 'qemu', 'web')}/cloud-init.yaml`, 'utf8');
	const launch = async (engine: Engine, request: Omit<LaunchRequest, 'by'>) =>
		engine.wait({id: (await engine.launch({by, name: 'web', ...request})).id});

	test('by a profile', async () => {
		const paths = home(files);
		const {engine} = await simulatedEngine(paths);
		expect(await launch(engine, {profile: 'small'})).toMatchObject({state: 'done'});
		expect(record(paths)).toMatchObject({image: {query: 'default'}, hardware: {memory: 2 ** 28}});
		expect(cloudInit(paths)).toBe(files['small.yaml']);
	});

	test('by a template, for the user of its image', async () => {
		const paths = home(files);
		const images = simulatedImages(paths);
		const {engine} = await simulatedEngine(paths, {
			images: {...images, resolve: async query => ({...(await images.resolve(query)), user: 'arch'})},
		});
		expect(await launch(engine, {profile: 'dock'})).toMatchObject({state: 'done'});
		expect(cloudInit(paths)).toContain('[usermod, -aG, docker, arch]');
		await expect(engine.launch({name: 'db', template: 'nothing', by})).rejects.toMatchObject({
			code: 'usage.invalid',
			message: expect.stringMatching(/^There is no cloud-init template "nothing"; there are docker, podman, /),
		});
		expect((await engine.list()).map(({name}) => name)).toEqual(['web']);
	});

	test('without an image takes the one that was set', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		expect(await engine.get({key: 'local.default-image'})).toMatchObject({value: 'default', isDefault: true});
		expect(await launch(engine, {})).toMatchObject({state: 'done'});
		await engine.set({key: 'local.default-image', value: ' lts ', by});
		await expect(engine.launch({by})).rejects.toMatchObject({message: 'there is no image lts'});
		await expect(engine.set({key: 'local.default-image', value: 'a b', by})).rejects.toMatchObject({
			code: 'setting.invalid',
		});
		expect(await engine.set({key: 'local.default-image', value: '', by})).toMatchObject({value: 'default'});
	});
});
