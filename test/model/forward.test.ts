import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {forwardText, isIpv4, parseForward, parseForwardKey} from '../../source/model/forward.ts';

describe('a forward', () => {
	test.each([
		['8080:80', {protocol: 'tcp', address: '127.0.0.1', host: 8080, guest: 80}],
		[' 8080:80/TCP ', {protocol: 'tcp', address: '127.0.0.1', host: 8080, guest: 80}],
		['5353:53/udp', {protocol: 'udp', address: '127.0.0.1', host: 5353, guest: 53}],
		['0.0.0.0:8080:80', {protocol: 'tcp', address: '0.0.0.0', host: 8080, guest: 80}],
		['192.168.1.5:1:65535/udp', {protocol: 'udp', address: '192.168.1.5', host: 1, guest: 65_535}],
	])('%j', (text, forward) => {
		expect(parseForward(text)).toEqual(forward);
	});

	test.each([
		['', /two ports/],
		['80', /two ports/],
		['a:b', /two ports/],
		['0:80', /1 to 65535/],
		['80:65536', /1 to 65535/],
		['8080:80/sctp', /tcp or udp/],
		['localhost:8080:80', /IPv4/],
		['1.2.3:8080:80', /IPv4/],
		['1.2.3.256:8080:80', /IPv4/],
		['01.2.3.4:8080:80', /IPv4/],
		['127.0.0.1:8080-:80', /two ports/],
		['127.0.0.1 ,x:8080:80', /IPv4/],
		['8080:80\ninfo', /two ports/],
	])('%j is none', (text, words) => {
		expect(() => parseForward(text)).toThrow(words);
	});

	test('whatever is typed, nothing but numbers and one of two words comes of it', () => {
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.:/a-z-]{0,30}$/)), text => {
				try {
					expect(forwardText(parseForward(text))).toMatch(/^[\d.]{7,15}:\d{1,5} -> \d{1,5}\/(?:tcp|udp)$/);
				} catch (error) {
					expect(error).toMatchObject({code: 'usage.invalid'});
				}
			}),
		);
	});

	test('is known by its port and protocol', () => {
		expect(parseForwardKey('8080')).toEqual({protocol: 'tcp', host: 8080});
		expect(parseForwardKey('53/UDP')).toEqual({protocol: 'udp', host: 53});
		for (const text of ['', '0', '70000', '80:80', '80/x']) expect(() => parseForwardKey(text)).toThrow(/Invalid port/);
	});

	test('addresses are four numbers', () => {
		expect(['0.0.0.0', '127.0.0.1', '255.255.255.255'].every(isIpv4)).toBe(true);
		expect(['', '1.2.3', '1.2.3.4.5', '1.2.3.-4', '1.2.3. 4', '::1'].some(isIpv4)).toBe(false);
	});
});
