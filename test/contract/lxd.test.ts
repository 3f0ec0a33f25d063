import {afterAll, describe, test} from 'vitest';
import {ownLxd} from '../support/lxd.ts';
import {lxdSetup} from './lxd-setup.ts';
import {contractSuite} from './suite.ts';

const server = await ownLxd();

if (typeof server === 'string') {
	describe(`the driver contract: lxd (${server})`, () => test.skip('needs an LXD', () => {}));
} else {
	afterAll(() => server.close(), 90_000);
	contractSuite('lxd', lxdSetup(server));
}
