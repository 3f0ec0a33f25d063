import {describe, expect, test} from 'vitest';
import {parse} from 'yaml';
import {parseForward} from '../../source/model/forward.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const forwards = [parseForward('8080:80'), parseForward('0.0.0.0:5353:53/udp')];
const web = () => new FakeEngine({instances: [fakeInstance('web', 'Running', {forwards}), fakeInstance('db')]});

describe('forward', () => {
	test('lists the ports of an instance', async () => {
		const engine = web();
		expect((await drover(['forward', 'web'], {engine})).out).toBe(
			['Host            Instance  Protocol', '127.0.0.1:8080  80        tcp', '0.0.0.0:5353    53        udp', ''].join(
				'\n',
			),
		);
		expect((await drover(['forward', 'db'], {engine})).out).toBe('No ports are forwarded.\n');
		expect((await drover(['forward', 'web', '--format', 'csv'], {engine})).out).toBe(
			'Address,Port,Instance port,Protocol\n127.0.0.1,8080,80,tcp\n0.0.0.0,5353,53,udp\n',
		);
		const data = {
			web: [
				{address: '127.0.0.1', host_port: 8080, instance_port: 80, protocol: 'tcp'},
				{address: '0.0.0.0', host_port: 5353, instance_port: 53, protocol: 'udp'},
			],
		};
		expect(JSON.parse((await drover(['forward', 'web', '--format', 'json'], {engine})).out)).toEqual(data);
		expect(parse((await drover(['forward', 'web', '--format', 'yaml'], {engine})).out)).toEqual(data);
		expect(await drover(['forward', 'nobody'], {engine})).toMatchObject({code: 2});
	});

	test('forwards and ends', async () => {
		const engine = web();
		expect(await drover(['forward', 'db', '9000:90', '127.0.0.1:9001:91/udp'], {engine})).toMatchObject({
			code: 0,
			out: '',
			err: '',
		});
		expect(await drover(['forward', 'web', '--remove', '8080', '--remove', '5353/udp'], {engine})).toMatchObject({
			code: 0,
		});
		expect(engine.calls.filter(({method}) => method.endsWith('forward')).map(({request}) => request)).toEqual([
			{name: 'db', forward: parseForward('9000:90'), by: 'kim'},
			{name: 'db', forward: parseForward('9001:91/udp'), by: 'kim'},
			{name: 'web', key: {protocol: 'tcp', host: 8080}, by: 'kim'},
			{name: 'web', key: {protocol: 'udp', host: 5353}, by: 'kim'},
		]);
	});

	test.each([
		[[]],
		[['web', '80']],
		[['web', '8080:80', 'x']],
		[['web', '8080:80', '--remove', '9090']],
		[['web', '--remove', 'x']],
		[['web', '--format', 'xml']],
	])('%j is a mistake, and nothing is asked', async argv => {
		const engine = web();
		expect(await drover(['forward', ...argv], {engine})).toMatchObject({code: 1, connections: 0});
	});

	test('info shows them', async () => {
		const engine = web();
		expect((await drover(['info', 'web'], {engine})).out).toContain(
			'Forwards:       127.0.0.1:8080 -> 80/tcp\n                0.0.0.0:5353 -> 53/udp\n',
		);
		const {info} = JSON.parse((await drover(['info', 'web', '--format', 'json'], {engine})).out);
		expect(info.web.forwards).toHaveLength(2);
		expect((await drover(['info', 'db'], {engine})).out).not.toContain('Forwards');
	});
});
