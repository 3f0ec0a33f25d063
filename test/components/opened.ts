import {onTestFinished} from 'vitest';
import type {DriverInfo} from '../../source/engine/engine.ts';
import type {InstanceView} from '../../source/model/instance.ts';
import {FakeEngine} from '../support/fake-engine.ts';
import {TestScreen} from '../support/screen.ts';

type Options = ConstructorParameters<typeof TestScreen>[1] & {readonly driver?: DriverInfo};

/** The dashboard on a terminal emulator, closed when the test ends. */
export function open(engine: FakeEngine, options: Options = {}): TestScreen {
	const screen = new TestScreen(engine, options);
	onTestFinished(() => screen.close());
	return screen;
}

export async function openWith(instances: readonly InstanceView[], options: Options = {}) {
	const {driver, ...rest} = options;
	const engine = new FakeEngine({instances, ...(driver ? {driver} : {})});
	const screen = open(engine, rest);
	await screen.waitFor(instances[0]!.name);
	return {engine, screen};
}
