import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {diskFile} from '../../../source/drivers/hyperv/disk-file.ts';
import {scratchPaths} from '../../support/scratch.ts';

test('a disk is there to be copied unless it is spread over several files', async () => {
	const directory = path.join(scratchPaths().data, 'web');
	const place = {directory, sockets: directory};
	mkdirSync(path.join(directory, 'Snapshots'), {recursive: true});
	expect(await diskFile(place)).toBe('its disk is missing');
	const file = path.join(directory, 'disk.vhdx');
	writeFileSync(file, 'vhdxfile');
	expect(await diskFile(place)).toEqual({file, format: 'vhdx'});
	writeFileSync(path.join(directory, 'Snapshots', 'disk_1.AVHDX'), '');
	expect(await diskFile(place)).toMatch(/^it has snapshots/);
});
