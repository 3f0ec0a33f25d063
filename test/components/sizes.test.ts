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
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';

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

/** A model with awkward names, on one of the screens. */
async function modelOn(keys: readonly string[], columns: number, rows: number): Promise<Model> {
	const engine = new FakeEngine({
		instances: awkward.map((name, index) =>
			fakeInstance(name, instanceStates[index % instanceStates.length] as InstanceState, {id: `id-${index}`}),
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
	send({type: 'images', images: (await engine.find({query: ''})).images});
	send({
		type: 'detail',
		id: model.table.cursor ?? '',
		part: {detail: (await engine.info({names: [], runtime: true}))[0]!},
	});
	return model;
}

const screens: Readonly<Record<string, readonly string[]>> = {
	table: [],
	menu: ['enter'],
	confirm: ['down', 'down', 'x'],
	detail: ['l'],
	form: ['n'],
	operations: ['b'],
	alerts: ['!'],
	help: ['?'],
	palette: [':'],
	doctor: ['D'],
	copy: ['y'],
	filter: ['/', 'w'],
};

const plain = (text: string) => text.replace(/\u001B\[[\d;]*m/g, '');

describe('at every size, every line is exactly as wide as the screen', () => {
	for (const [name, keys] of Object.entries(screens)) {
		test(name, async () => {
			for (let columns = 40; columns <= 200; columns += 7) {
				for (const rows of [10, 15, 16, 24, 60]) {
					const model = await modelOn(keys, columns, rows);
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

test('the way out is among the hints at every width', async () => {
	for (const [name, keys] of Object.entries(screens)) {
		const model = await modelOn(keys, 40, 10);
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
	expect(layoutOf({columns: 80, rows: 24}).bodyHeight - 1).toBeGreaterThanOrEqual(18);
});

test('no row is wider than its table, and the last column is whole', () => {
	for (let width = 40; width <= 200; width++) {
		const columns = columnsFor(width);
		const text = rowLine(fakeInstance('web', 'Delayed Shutdown'), columns, {isCursor: true, isMarked: true})
			.map(piece => piece.text)
			.join('');
		expect(stringWidth(text), String(width)).toBeLessThanOrEqual(width);
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
