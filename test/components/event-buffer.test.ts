import {afterEach, beforeEach, expect, test, vi} from 'vitest';
import {type Batch, EventBuffer} from '../../source/components/event-buffer.ts';
import type {EngineEvent} from '../../source/engine/engine.ts';
import type {OperationView} from '../../source/model/operation.ts';
import {fakeInstance} from '../support/fake-engine.ts';

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const operation = (percent: number): OperationView => ({
	id: '1',
	kind: 'launch',
	title: 'launch web',
	by: 'kim',
	state: 'running',
	items: [{target: 'web', state: 'running', stage: 'downloading', percent}],
	cancellable: true,
	createdAt: 0,
});

function open(isQuiet: (event: EngineEvent) => boolean) {
	const batches: Batch[] = [];
	const buffer = new EventBuffer(batch => batches.push(batch), isQuiet);
	return {buffer, batches};
}

test('progress comes through twice a second at most, and the last of it always', () => {
	const {buffer, batches} = open(() => true);
	for (let percent = 0; percent < 100; percent++) {
		buffer.add({type: 'operation', operation: operation(percent)});
		vi.advanceTimersByTime(20);
	}
	vi.advanceTimersByTime(1000);
	expect(batches.length).toBeLessThanOrEqual(5);
	expect(batches.at(-1)?.operations[0]?.items[0]?.percent).toBe(99);
});

test('what matters comes at once, and ten times a second at most', () => {
	const {buffer, batches} = open(() => false);
	buffer.add({type: 'instances', changed: [fakeInstance('web', 'Stopped')], removed: []});
	vi.advanceTimersByTime(0);
	expect(batches).toHaveLength(1);
	for (let count = 0; count < 1000; count++) {
		buffer.add({type: 'instances', changed: [fakeInstance('web', count % 2 ? 'Running' : 'Stopped')], removed: []});
		vi.advanceTimersByTime(1);
	}
	vi.advanceTimersByTime(1000);
	expect(batches.length).toBeLessThanOrEqual(12);
	expect(batches.at(-1)?.changed[0]?.state).toBe('Running');
});

test('news that matters does not wait behind progress', () => {
	const {buffer, batches} = open(event => event.type === 'operation');
	buffer.add({type: 'operation', operation: operation(1)});
	vi.advanceTimersByTime(0);
	buffer.add({type: 'operation', operation: operation(2)});
	buffer.add({type: 'instances', changed: [fakeInstance('web')], removed: []});
	vi.advanceTimersByTime(100);
	expect(batches).toHaveLength(2);
	expect(batches[1]?.operations[0]?.items[0]?.percent).toBe(2);
});

test('an instance that changed and then went is gone, one that came back is there', () => {
	const {buffer, batches} = open(() => false);
	buffer.add({type: 'instances', changed: [fakeInstance('web')], removed: []});
	buffer.add({type: 'instances', changed: [], removed: ['id-web']});
	buffer.add({type: 'instances', changed: [], removed: ['id-db']});
	buffer.add({type: 'instances', changed: [fakeInstance('db')], removed: []});
	vi.advanceTimersByTime(0);
	expect(batches[0]).toMatchObject({removed: ['id-web', 'id-db'], changed: [{name: 'db'}]});
});

test('closed it delivers nothing any more', () => {
	const {buffer, batches} = open(() => false);
	buffer.add({type: 'instances', changed: [], removed: ['id-web']});
	buffer.close();
	vi.advanceTimersByTime(1000);
	expect(batches).toEqual([]);
});
