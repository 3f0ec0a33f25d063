import stringWidth from 'string-width';
import {describe, expect, test} from 'vitest';
import {bodyLines} from '../../source/components/dashboard.tsx';
import {headerLines, hintLine, statusLine} from '../../source/components/pieces/chrome.ts';
import {columnsFor, rowLine} from '../../source/components/pieces/columns.ts';
import {layoutOf} from '../../source/components/pieces/layout.ts';
import {lineWidth} from '../../source/components/pieces/line.ts';
import {paint} from '../../source/components/pieces/theme.ts';
import type {Message, Model} from '../../source/components/store/model.ts';
import {initialModel, update} from '../../source/components/store/update.ts';
import {terminalTraits} from '../../source/components/terminal/environment.ts';
import type {InstanceState} from '../../source/model/state.ts';
import {instanceStates} from '../../source/model/state.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';

const traits = terminalTraits({TERM: 'xterm', LANG: 'C.UTF-8'});

const awkward = [
	'web',
	'a'.repeat(63),
	'漢字データベースサーバー',
	'e\u0301clair-e\u0301clair',
	'👩‍👩‍👧‍👦-family',
	'\u001B[31mred\u001B[0m\u0007',
	'two\nlines\tand a tab',
	'\u202Ertl\u202C',
];

const mounts = awkward.map(
	name => ({source: `/srv/${name}`, target: `/${name}`, type: 'native', uidMap: [], gidMap: []}) as const,
);
const nics = awkward.map(network => ({network, mac: '52:54:00:12:34:56', mode: 'auto'}) as const);
const networks = awkward.map(name => ({name, type: name, description: name}));

type Screen = {readonly keys: readonly string[]; readonly state?: InstanceState};

/** A model with awkward names, on one of the screens, under the driver that has most. */
async function modelOn({keys, state}: Screen, columns: number, rows: number): Promise<Model> {
	const engine = new FakeEngine({
		driver: fakeDriver('lxd'),
		instances: awkward.map((name, index) =>
			fakeInstance(name, state ?? instanceStates[index % instanceStates.length]!, {
				id: `id-${index}`,
				kind: 'container',
				member: name,
				mounts,
			}),
		),
	});
	let model = initialModel({size: {columns, rows}, user: 'kim'});
	const send = (message: Message) => {
		model = update(model, message).model;
	};
	send({type: 'overview', overview: await engine.overview(), at: 0});
	let at = 0;
	for (const name of keys) {
		at += 1000;
		send({type: 'key', presses: [{name, text: name.length === 1 ? name : ''}], at});
	}
	send({type: 'doctor', report: await engine.doctor()});
	send({type: 'form-data', part: {images: (await engine.find({query: ''})).images, networks, members: awkward}});
	const [known] = await engine.info({names: [], runtime: true});
	const detail = {...known!, nics, notes: awkward};
	const id = model.table.cursor ?? '';
	send({type: 'detail', id, part: {detail}});
	send({type: 'networks', id, part: {detail, host: networks}});
	for (const second of [1, 2, 3]) {
		const sample = {at: second * 1000, cpuSeconds: second / 2, memoryUsed: 2 ** 29, received: second * 2 ** 22};
		const samples = Object.fromEntries(awkward.map(name => [name, sample]));
		send({type: 'samples', turn: model.metrics.turn, samples});
	}
	return model;
}

const screens: Readonly<Record<string, Screen>> = {
	table: {keys: []},
	menu: {keys: ['enter']},
	confirm: {keys: ['down', 'down', 'x'], state: 'Running'},
	detail: {keys: ['l']},
	form: {keys: ['n']},
	operations: {keys: ['b']},
	alerts: {keys: ['!']},
	help: {keys: ['?']},
	palette: {keys: [':']},
	doctor: {keys: ['D']},
	copy: {keys: ['y']},
	filter: {keys: ['/', 'w']},
	mounts: {keys: ['m', 'down', 'down'], state: 'Running'},
	unmounting: {keys: ['m', 'x'], state: 'Running'},
	mounting: {keys: ['m', 'n', '/', 'tab', 'x', 'tab'], state: 'Running'},
	networks: {keys: ['v', 'down'], state: 'Stopped'},
	editing: {keys: ['e', 'x', 'tab', 'x'], state: 'Stopped'},
	'editing what runs': {keys: ['e', 'x', 'tab'], state: 'Running'},
	'a page with figures': {keys: ['l'], state: 'Running'},
	'the end of the form': {keys: ['n', 'x', 'shift-tab', 'shift-tab', 'shift-tab', 'right']},
};

const plain = (text: string) => text.replace(/\u001B\[[\d;]*m/g, '');

describe('at every size, every line is exactly as wide as the screen', () => {
	for (const [name, screen] of Object.entries(screens)) {
		test(name, async () => {
			for (let columns = 40; columns <= 200; columns += 7) {
				for (const rows of [10, 15, 16, 24, 60]) {
					const model = await modelOn(screen, columns, rows);
					const {bodyHeight, width, hasRule} = layoutOf(model.size);
					const body = bodyLines(model, traits, width, bodyHeight);
					expect(body).toHaveLength(bodyHeight);
					const lines = [...headerLines(model, width), ...body, statusLine(model), hintLine(model, width)];
					expect(lines.length + (hasRule ? 1 : 0)).toBe(rows);
					for (const content of lines) {
						const text = plain(paint(content, width, traits));
						expect(stringWidth(text), `${columns}x${rows} ${JSON.stringify(text)}`).toBe(columns);
						expect(text).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E]/);
					}
				}
			}
		});
	}
});

test('each of them is what it is called', async () => {
	const tops = Object.entries(screens).map(async ([name, screen]) => [
		name,
		(await modelOn(screen, 80, 24)).layers.at(-1)?.kind,
	]);
	expect(Object.fromEntries(await Promise.all(tops))).toMatchObject({
		table: undefined,
		menu: 'menu',
		confirm: 'confirm',
		mounts: 'mounts',
		unmounting: 'confirm',
		mounting: 'form',
		networks: 'networks',
		editing: 'form',
		'editing what runs': 'form',
		'a page with figures': 'detail',
		'the end of the form': 'form',
	});
});

test('the way out is among the hints at every width', async () => {
	for (const [name, screen] of Object.entries(screens)) {
		const model = await modelOn(screen, 40, 10);
		const hints = hintLine(model, 40)
			.map(piece => piece.text)
			.join('');
		expect(hints, name).toMatch(/q quit|esc|any other key no/);
		expect(lineWidth(hintLine(model, 40))).toBeLessThanOrEqual(40);
	}
});

test('columns leave in order, NAME and STATE stay, and 24 lines show 18 instances', () => {
	const names = (width: number) => columnsFor(width).map(column => column.name);
	expect(names(120)).toEqual(['NAME', 'STATE', 'IMAGE', 'ADDRESS', 'CPU', 'MEM', 'DISK']);
	expect(names(80)).toEqual(['NAME', 'STATE', 'IMAGE', 'ADDRESS', 'CPU', 'MEM']);
	expect(names(70)).toEqual(['NAME', 'STATE', 'ADDRESS', 'CPU', 'MEM']);
	expect(names(60)).toEqual(['NAME', 'STATE', 'ADDRESS', 'CPU']);
	expect(names(48)).toEqual(['NAME', 'STATE', 'CPU']);
	expect(names(40)).toEqual(['NAME', 'STATE']);
	const all = (width: number) => columnsFor(width, {usage: true, member: true}).map(column => column.name);
	expect(all(140)).toEqual(['NAME', 'STATE', 'IMAGE', 'ADDRESS', 'MEMBER', 'CPU', 'MEM', 'DISK', 'CPU%', 'MEM%']);
	expect(all(97)).toEqual(['NAME', 'STATE', 'ADDRESS', 'MEMBER', 'CPU', 'MEM', 'DISK', 'CPU%', 'MEM%']);
	expect(all(77)).toEqual(['NAME', 'STATE', 'ADDRESS', 'CPU', 'MEM', 'CPU%', 'MEM%']);
	expect(layoutOf({columns: 80, rows: 24}).bodyHeight - 1).toBeGreaterThanOrEqual(18);
});

test('no row is wider than its table, and the last column is whole', () => {
	const usage = {cpu: 100, memory: 5, memoryTotal: 5};
	for (let width = 40; width <= 200; width++) {
		for (const extras of [undefined, {usage: true, member: true}, {usage: true, member: false}]) {
			const columns = columnsFor(width, extras);
			const text = rowLine(fakeInstance('web', 'Delayed Shutdown'), columns, {isCursor: true, isMarked: true, usage})
				.map(piece => piece.text)
				.join('');
			expect(stringWidth(text), String(width)).toBeLessThanOrEqual(width);
			if (extras && width >= 77) expect(text).toMatch(/100% 100%$/);
		}
	}
});

test('every state is told apart without colour', () => {
	const words = instanceStates.map(state =>
		plain(
			paint(rowLine(fakeInstance('web', state), columnsFor(40), {isCursor: false, isMarked: false}), 40, {
				color: false,
				ascii: true,
			}),
		),
	);
	expect(new Set(words).size).toBe(instanceStates.length);
});
