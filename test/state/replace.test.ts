import {expect, test} from 'vitest';
import {replace} from '../../source/state/atomic.ts';

/** Refuses so many times, as Windows does while a program has the file open. */
function held(times: number, code = 'EPERM') {
	let calls = 0;
	const move = async () => {
		calls++;
		if (calls <= times) throw Object.assign(new Error('held'), {code});
	};
	return {move, count: () => calls};
}

test('on Windows a file that is open for a moment is replaced all the same', async () => {
	for (const code of ['EPERM', 'EACCES', 'EBUSY']) {
		const {move, count} = held(3, code);
		await replace('/a', '/b', 'win32', move);
		expect(count()).toBe(4);
	}
});

test('but not for ever, not for other reasons, and not elsewhere', async () => {
	const stuck = held(1000);
	await expect(replace('/a', '/b', 'win32', stuck.move)).rejects.toThrow('held');
	expect(stuck.count()).toBe(10);
	const full = held(1, 'ENOSPC');
	await expect(replace('/a', '/b', 'win32', full.move)).rejects.toThrow('held');
	expect(full.count()).toBe(1);
	const linux = held(1);
	await expect(replace('/a', '/b', 'linux', linux.move)).rejects.toThrow('held');
	expect(linux.count()).toBe(1);
});
