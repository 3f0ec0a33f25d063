import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {causeText, DroverError, type ErrorCode, errorData, exitCodeOf} from '../../source/model/errors.ts';

const codes: readonly ErrorCode[] = ['usage.invalid', 'instance.missing', 'daemon.unreachable', 'internal'];

describe('DroverError', () => {
	test('crosses the socket unchanged', () => {
		const optional = fc.option(fc.string(), {nil: undefined});
		fc.assert(
			fc.property(fc.constantFrom(...codes), fc.string(), optional, optional, (code, message, next, cause) => {
				const sent = JSON.parse(JSON.stringify(new DroverError(code, message, {next, cause}).toData()));
				const arrived = DroverError.from(sent);
				expect(arrived).toBeInstanceOf(DroverError);
				expect(arrived.toData()).toEqual(sent);
				expect([arrived.code, arrived.message, arrived.next]).toEqual([code, message, next]);
			}),
		);
	});

	test('tells the cause in one line without control characters', () => {
		const error = new DroverError('driver.failed', 'no', {cause: new Error('bad\u001B[31m thing\nstack')});
		expect(error.toData().cause).toBe('bad [31m thing');
		expect(error.cause).toBeInstanceOf(Error);
		expect('cause' in new DroverError('driver.failed', 'no').toData()).toBe(false);
	});
});

describe('errorData', () => {
	test('of one of ours is its data', () => {
		const error = new DroverError('host.disk-full', 'full', {next: 'Free some.'});
		expect(errorData(error)).toEqual({code: 'host.disk-full', message: 'full', next: 'Free some.'});
	});

	test('of anything else says that drover itself failed, and never throws', () => {
		fc.assert(
			fc.property(
				fc.oneof(fc.string(), fc.constant(undefined), fc.constant(null), fc.integer(), fc.string().map(Error)),
				thrown => {
					const data = errorData(thrown);
					expect(data.code).toBe('internal');
					expect(data.message).toMatch(/^drover itself failed: /);
					expect(data.message).not.toMatch(/[\u0000-\u001F\u007F-\u009F]/);
				},
			),
		);
		expect(causeText(Object.create(null))).toBe('something that cannot be told');
	});
});

test('exit codes are those of Multipass', () => {
	expect(exitCodeOf('usage.invalid')).toBe(1);
	expect(exitCodeOf('instance.name-invalid')).toBe(2);
	expect(exitCodeOf('daemon.unreachable')).toBe(3);
	expect(exitCodeOf('daemon.protocol')).toBe(3);
	expect(exitCodeOf('operation.timeout')).toBe(5);
	expect(exitCodeOf('internal')).toBe(2);
});
