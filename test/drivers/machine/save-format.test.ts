import {describe, expect, test} from 'vitest';
import {devicesDigest} from '../../../source/drivers/machine/hardware.ts';
import {hasStreamEnd, parseSaveHeader, saveHeader, streamOffset} from '../../../source/drivers/machine/save-format.ts';
import {type SavedMemory, stampProblem} from '../../../source/drivers/machine/saved-memory.ts';
import {testRecord, testStamp} from './record.ts';

const stream = Buffer.from('QEVM....');
const own = (complete = true) => Buffer.concat([saveHeader('<domain/>', complete), stream]);

/** As libvirt writes it: the XML with one NUL, and the stream right behind. */
function libvirtFile(change: (header: Buffer) => void = () => {}): Buffer {
	const xml = Buffer.from('<domain type="qemu"/>\0');
	const header = Buffer.alloc(92);
	header.write('LibvirtQemudSave');
	header.writeUInt32LE(2, 16);
	header.writeUInt32LE(xml.length, 20);
	header.writeUInt32LE(1, 24);
	change(header);
	return Buffer.concat([header, xml, stream]);
}

describe('the save file', () => {
	test('has libvirt’s header, and the stream at a fixed place', () => {
		const bytes = own();
		expect(bytes.toString('latin1', 0, 16)).toBe('LibvirtQemudSave');
		expect([16, 20, 24, 28, 32].map(at => bytes.readUInt32LE(at))).toEqual([2, streamOffset - 92, 1, 0, 0]);
		expect(bytes.subarray(36, 92).every(byte => byte === 0)).toBe(true);
		expect(parseSaveHeader(bytes)).toEqual({complete: true, xml: '<domain/>', offset: streamOffset});
	});

	test('is not complete until its head says so', () => {
		expect(own(false).toString('latin1', 0, 16)).toBe('LibvirtQemudPart');
		expect(parseSaveHeader(own(false))).toMatchObject({complete: false});
	});

	test('libvirt’s own are read where their head says', () => {
		expect(parseSaveHeader(libvirtFile())).toEqual({complete: true, xml: '<domain type="qemu"/>', offset: 114});
	});

	test.each([
		['nothing', Buffer.alloc(0), /too short/],
		['a head alone', own().subarray(0, 92), /too short/],
		['no stream', saveHeader('<domain/>', true), /too short/],
		['another kind of file', Buffer.alloc(70_000), /not a saved memory image/],
		['a stream that is none', Buffer.concat([saveHeader('<domain/>', true), Buffer.alloc(100)]), /damaged/],
		['another version', libvirtFile(header => header.writeUInt32LE(3, 16)), /format 3/],
		['a compressed stream', libvirtFile(header => header.writeUInt32LE(2, 28)), /compressed/],
		['a length that cannot be', libvirtFile(header => header.writeUInt32LE(0xffff_fff0, 20)), /damaged/],
	])('%s is refused with the reason', (_, bytes, reason) => {
		expect(parseSaveHeader(bytes)).toMatch(reason);
	});

	test('an XML that does not fit before the stream is refused', () => {
		expect(() => saveHeader('x'.repeat(streamOffset), true)).toThrow(RangeError);
		expect(() => saveHeader('a\0b', true)).toThrow(RangeError);
	});
});

describe('the end of a stream', () => {
	const description = Buffer.from('{"configuration": {}}');
	const length = Buffer.alloc(4);
	length.writeUInt32BE(description.length);
	const whole = Buffer.concat([Buffer.from('memory'), Buffer.from([0, 6]), length, description]);

	test('is known by the description that fills it', () => {
		expect(hasStreamEnd(whole)).toBe(true);
	});

	test('is not there when any byte is missing', () => {
		for (let cut = 1; cut <= description.length + 5; cut++) {
			expect(hasStreamEnd(whole.subarray(0, -cut))).toBe(false);
		}
		expect(hasStreamEnd(Buffer.alloc(0))).toBe(false);
	});
});

describe('a stamp', () => {
	const record = testRecord();
	const saved: SavedMemory = {offset: streamOffset, size: 100_000, xml: ''};
	const stamp = testStamp({devices: devicesDigest(record)});
	const disk = stamp.disk;

	test('fits the machine, the disk and the file it was made of', () => {
		expect(stampProblem(stamp, record, disk, saved)).toBeUndefined();
	});

	test.each([
		['a shorter file', /bytes/, {}, disk, {...saved, size: 99_999}],
		['no disk', /disk is missing/, {}, undefined, saved],
		['a disk of another size', /disk has been changed/, {}, {...disk, bytes: 1}, saved],
		['a disk that was written since', /disk has been changed/, {}, {...disk, modifiedMs: 6}, saved],
		['more memory', /machine has been changed/, {memory: 1}, disk, saved],
		['more processors', /machine has been changed/, {cpus: 1}, disk, saved],
		['other devices', /machine has been changed/, {devices: 'other'}, disk, saved],
	])('does not fit %s', (_, reason, change, otherDisk, otherSaved) => {
		expect(stampProblem({...stamp, ...change}, record, otherDisk, otherSaved)).toMatch(reason);
	});
});
