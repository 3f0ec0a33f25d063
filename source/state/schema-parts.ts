import * as v from 'valibot';

/* What the files that drover keeps of an instance have in common. */

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const positive = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
export const line = v.pipe(
	v.string(),
	v.maxLength(4096),
	v.check(text => !/[\u0000-\u001F\u007F]/.test(text), 'has control characters'),
);
export const time = v.pipe(
	v.string(),
	v.check(text => !Number.isNaN(Date.parse(text)), 'is not a time'),
);
export const mac = v.pipe(v.string(), v.regex(/^[\da-f]{2}(?::[\da-f]{2}){5}$/, 'is not a MAC address'));
export const cpus = v.pipe(positive, v.maxValue(1024));

const idMap = v.object({host: count, guest: v.pipe(v.number(), v.safeInteger(), v.minValue(-1))});
const absolute = v.pipe(line, v.startsWith('/', 'is not an absolute path'));
const mount = v.object({
	source: absolute,
	target: absolute,
	type: v.picklist(['classic', 'native']),
	uidMap: v.array(idMap),
	gidMap: v.array(idMap),
});
export const mounts = v.pipe(v.array(mount), v.maxLength(256));
export const nic = v.object({network: line, mac, mode: v.picklist(['auto', 'manual'])});
export const nics = v.pipe(v.array(nic), v.maxLength(32));
