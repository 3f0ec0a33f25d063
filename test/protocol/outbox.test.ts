import {beforeEach, expect, test} from 'vitest';
import type {EngineEvent} from '../../source/engine/engine.ts';
import type {OperationView} from '../../source/model/operation.ts';
import {planSwitch} from '../../source/model/switch.ts';
import {beginStory} from '../../source/model/switch-story.ts';
import {Outbox} from '../../source/protocol/outbox.ts';
import {fakeInstance} from '../support/fake-engine.ts';

let sent: EngineEvent[];
let isCongested: boolean;
let now: number;
let due: Array<{at: number; run: () => void}>;
let outbox: Outbox;

beforeEach(() => {
	sent = [];
	isCongested = false;
	now = 1000;
	due = [];
	outbox = new Outbox(
		event => sent.push(event),
		() => isCongested,
		{
			now: () => now,
			after(run, milliseconds) {
				const entry = {at: now + milliseconds, run};
				due.push(entry);
				return {
					cancel() {
						due = due.filter(other => other !== entry);
					},
				};
			},
		},
	);
});

function pass(milliseconds: number) {
	now += milliseconds;
	const ripe = due.filter(({at}) => at <= now);
	due = due.filter(({at}) => at > now);
	for (const {run} of ripe) run();
}

const changed = (name: string, state: 'Running' | 'Stopped' = 'Running'): EngineEvent => ({
	type: 'instances',
	changed: [fakeInstance(name, state)],
	removed: [],
});

const operation = (id: string, state: OperationView['state']): EngineEvent => ({
	type: 'operation',
	operation: {id, kind: 'stop', title: 'stop', by: 'kim', state, items: [], cancellable: true, createdAt: 0},
});

test('the first goes out at once; what follows is put together, the latest of each', () => {
	outbox.add(changed('web'));
	expect(sent).toEqual([changed('web')]);
	outbox.add(changed('web', 'Stopped'));
	outbox.add(changed('db'));
	outbox.add(changed('web'));
	pass(49);
	expect(sent).toHaveLength(1);
	pass(1);
	expect(sent.slice(1)).toEqual([{type: 'instances', changed: [fakeInstance('web'), fakeInstance('db')], removed: []}]);
	pass(1000);
	expect(sent).toHaveLength(2);
	expect(due).toEqual([]);
});

test('removed after changed is removed, changed after removed is changed', () => {
	outbox.add(operation('1', 'running'));
	outbox.add(changed('web'));
	outbox.add({type: 'instances', changed: [], removed: ['id-web', 'id-db']});
	outbox.add(changed('db'));
	pass(50);
	expect(sent.slice(1)).toEqual([{type: 'instances', changed: [fakeInstance('db')], removed: ['id-web']}]);
});

test('an instance’s state is sent before the end of the operation that brought it about', () => {
	outbox.add({type: 'overview', reason: 'a setting'});
	outbox.add(operation('1', 'running'));
	outbox.add(operation('1', 'done'));
	outbox.add(changed('web', 'Stopped'));
	pass(50);
	expect(sent.slice(1)).toEqual([changed('web', 'Stopped'), operation('1', 'done')]);
});

test('nothing is sent to a client that does not read; afterwards it gets the latest', () => {
	isCongested = true;
	outbox.add(changed('web', 'Stopped'));
	outbox.add(changed('web'));
	pass(1000);
	expect(sent).toEqual([]);
	isCongested = false;
	outbox.resume();
	expect(sent).toEqual([changed('web')]);
});

test('what waits is bounded: then all of it is replaced by the advice to ask anew', () => {
	isCongested = true;
	for (let index = 0; index < 10_000; index++) {
		outbox.add(operation(String(index), 'running'));
		outbox.add({type: 'notice', notice: {id: String(index), at: 0, level: 'info', text: 'x'}});
		expect(outbox.waiting).toBeLessThanOrEqual(2000);
	}
	isCongested = false;
	outbox.resume();
	expect(sent.at(-1)).toEqual({type: 'overview', reason: 'some events were dropped'});
});

test('nothing after it is closed', () => {
	outbox.add(changed('web'));
	outbox.add(changed('db'));
	outbox.close();
	outbox.add(changed('db'));
	pass(1000);
	expect(sent).toHaveLength(1);
});

test('of a switch only the latest story is sent, and it is never dropped', () => {
	const plan = planSwitch({
		...{from: 'qemu', to: 'libvirt', isShared: true, canSuspend: true, fromTitle: 'QEMU', toTitle: 'libvirt'},
		...{leaving: [], entering: [], freeBytes: 0, hostMemory: 0},
	});
	const story = beginStory(plan, 's', 'kim', 0);
	outbox.add({type: 'switch', story});
	expect(sent).toEqual([{type: 'switch', story}]);
	isCongested = true;
	outbox.add({type: 'switch', story: {...story, phase: 'park'}});
	outbox.add({type: 'switch', story: {...story, phase: 'restore'}});
	isCongested = false;
	outbox.resume();
	pass(100);
	expect(sent.slice(1)).toEqual([{type: 'switch', story: {...story, phase: 'restore'}}]);
});
