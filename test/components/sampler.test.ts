import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {Sampler} from '../../source/components/sampler.ts';
import type {Message} from '../../source/components/store/model.ts';
import type {Engine} from '../../source/engine/engine.ts';
import type {Metrics} from '../../source/model/metrics.ts';

function sampler(metrics: () => Promise<Readonly<Record<string, Metrics>>> = async () => ({})) {
	const messages: Message[] = [];
	const terminal = {lent: false, isLent: () => terminal.lent};
	const engine = {metrics} as unknown as Engine;
	return {
		sampler: new Sampler({link: {engine}, dispatch: message => messages.push(message), terminal}),
		messages,
		terminal,
	};
}

describe('the time for a sample', () => {
	beforeEach(() => {
		vi.useFakeTimers();
	});
	afterEach(() => {
		vi.useRealTimers();
	});

	test('is told once, and the last wish counts', () => {
		const {sampler: tested, messages} = sampler();
		tested.later({turn: 1, inMs: 2000});
		tested.later({turn: 2, inMs: 5000});
		vi.advanceTimersByTime(4999);
		expect(messages).toEqual([]);
		vi.advanceTimersByTime(60_000);
		expect(messages).toEqual([{type: 'sample-due', turn: 2}]);
	});

	test('does not come while somebody else has the terminal', () => {
		const {sampler: tested, messages, terminal} = sampler();
		terminal.lent = true;
		tested.later({turn: 1, inMs: 0});
		vi.advanceTimersByTime(600_000);
		expect(messages).toEqual([]);
		terminal.lent = false;
		vi.advanceTimersByTime(1000);
		expect(messages).toEqual([{type: 'sample-due', turn: 1}]);
	});

	test('does not come after the end', () => {
		const {sampler: tested, messages} = sampler();
		tested.later({turn: 1, inMs: 10});
		tested.close();
		vi.advanceTimersByTime(1000);
		expect(messages).toEqual([]);
	});
});

describe('a question', () => {
	test('is answered with the samples', async () => {
		const samples = {web: {at: 1, cpuSeconds: 2}};
		const {sampler: tested, messages} = sampler(async () => samples);
		tested.ask({type: 'sample', turn: 3, names: ['web']});
		await vi.waitFor(() => expect(messages).toEqual([{type: 'samples', turn: 3, samples}]));
	});

	test('that fails is an answer without samples, and no alert', async () => {
		const {sampler: tested, messages} = sampler(() => Promise.reject(new Error('gone')));
		tested.ask({type: 'sample', turn: 3, names: ['web']});
		await vi.waitFor(() => expect(messages).toEqual([{type: 'samples', turn: 3}]));
	});

	test('that another has taken the place of is not answered any more', async () => {
		const first = Promise.withResolvers<Readonly<Record<string, Metrics>>>();
		const answers = [first.promise, Promise.resolve({})];
		const {sampler: tested, messages} = sampler(() => answers.shift()!);
		tested.ask({type: 'sample', turn: 1, names: ['web']});
		tested.ask({type: 'sample', turn: 2, names: ['web']});
		first.resolve({web: {at: 1, cpuSeconds: 2}});
		await vi.waitFor(() => expect(messages).toEqual([{type: 'samples', turn: 2, samples: {}}]));
	});
});
