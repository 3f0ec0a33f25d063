import fc from 'fast-check';
import {expect, test} from 'vitest';
import {driverNames, driverTitles, parseDriverName, scopeNames, scopeOf} from '../../source/model/driver-name.ts';

test('a driver is read as people write it', () => {
	for (const name of driverNames) {
		expect(parseDriverName(name)).toBe(name);
		expect(parseDriverName(` ${name.toUpperCase()}\n`)).toBe(name);
		expect(parseDriverName(driverTitles[name])).toBe(name);
	}
	expect(parseDriverName('hyper-v')).toBe('hyperv');
	expect(parseDriverName('VBox')).toBe('virtualbox');
});

test('nothing else is a driver, names of the language’s own included', () => {
	for (const text of ['', 'kvm', 'constructor', '__proto__', 'toString', 'qemu2']) {
		expect(parseDriverName(text), text).toBeUndefined();
	}
	fc.assert(
		fc.property(fc.string(), text => {
			const found = parseDriverName(text);
			return found === undefined || driverNames.includes(found);
		}),
	);
});

test('every driver has a scope; qemu and libvirt share theirs', () => {
	for (const name of driverNames) expect(scopeNames).toContain(scopeOf(name));
	expect(scopeOf('libvirt')).toBe(scopeOf('qemu'));
	expect(new Set(driverNames.map(scopeOf)).size).toBe(driverNames.length - 1);
});
