import {afterAll, describe, test} from 'vitest';
import {ownIncus} from '../support/incus.ts';
import {lxdSetup} from './lxd-setup.ts';
import {contractSuite} from './suite.ts';

const server = await ownIncus();

if (typeof server === 'string') {
	describe(`the driver contract: incus (${server})`, () => test.skip('needs an Incus', () => {}));
} else {
	afterAll(() => server.close(), 90_000);
	contractSuite('incus', lxdSetup(server));
}
