import {describe, expect, test} from 'vitest';
import type {StoredImage} from '../../source/model/image-info.ts';
import {FakeEngine} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const stored: readonly StoredImage[] = [
	{
		name: '24.04',
		hash: `sha256:${'ab'.repeat(32)}`,
		format: 'qcow2',
		size: 600 * 2 ** 20,
		usedAt: '2026-02-03T04:05:06.000Z',
		source: 'https://cloud-images.ubuntu.com/releases/x.img',
		instances: 2,
	},
	{
		name: 'my\u001B[2J disk',
		hash: `sha256:${'cd'.repeat(32)}`,
		format: 'raw',
		size: 1024,
		usedAt: '2026-01-01T00:00:00.000Z',
		source: '/home/kim/my disk.raw',
		instances: 0,
	},
];

function withImages(images: readonly StoredImage[] = stored): FakeEngine {
	return Object.assign(new FakeEngine(), {stored: images});
}

describe('images', () => {
	test('lists what is kept', async () => {
		const {out, code} = await drover(['images'], {engine: withImages()});
		expect(code).toBe(0);
		expect(out).toBe(
			[
				'Image    Hash          Format  Size      Last used             Instances  Source',
				'24.04    abababababab  qcow2   600.0MiB  2026-02-03 04:05:06Z  2          https://cloud-images.ubuntu.com/releases/x.img',
				'my disk  cdcdcdcdcdcd  raw     1.0KiB    2026-01-01 00:00:00Z  0          /home/kim/my disk.raw',
				'',
			].join('\n'),
		);
		expect((await drover(['images', 'list'], {engine: withImages()})).out).toBe(out);
		expect((await drover(['images'], {engine: withImages([])})).out).toBe('No images found.\n');
	});

	test('as data', async () => {
		const {out} = await drover(['images', '--format', 'json'], {engine: withImages()});
		expect(JSON.parse(out)).toEqual({
			directory: '/cache/images',
			size: 600 * 2 ** 20 + 1024,
			images: [
				{
					name: '24.04',
					hash: 'ab'.repeat(32),
					format: 'qcow2',
					size: 600 * 2 ** 20,
					last_used: '2026-02-03T04:05:06.000Z',
					instances: 2,
					source: 'https://cloud-images.ubuntu.com/releases/x.img',
				},
				expect.objectContaining({name: 'my disk', instances: 0}),
			],
		});
		expect((await drover(['images', 'size', '--format', 'yaml'], {engine: withImages()})).out).toContain(
			'directory: /cache/images\n',
		);
	});

	test('size', async () => {
		expect((await drover(['images', 'size'], {engine: withImages()})).out).toBe(
			'600.0MiB in /cache/images (2 images)\n',
		);
	});

	test('prune tells what it removed, and what it left and why', async () => {
		const engine = withImages();
		expect((await drover(['images', 'prune'], {engine})).out).toBe(
			[
				'Kept 24.04 (abababababab): it was used 3 hours ago.',
				'Kept my disk (cdcdcdcdcdcd): it was used 3 hours ago.',
				'Nothing was removed.',
				'',
			].join('\n'),
		);
		expect((await drover(['images', 'prune', '--all'], {engine})).out).toBe(
			[
				'Removed my disk (cdcdcdcdcdcd), 1.0KiB.',
				'Kept 24.04 (abababababab): it was used 3 hours ago.',
				'1.0KiB freed.',
				'',
			].join('\n'),
		);
		expect(engine.calls.map(({request}) => request)).toEqual([
			{all: false, by: 'kim'},
			{all: true, by: 'kim'},
		]);
		const {out} = await drover(['images', 'prune', '--all', '--format', 'json'], {engine: withImages()});
		expect(JSON.parse(out)).toMatchObject({
			freed: 1024,
			removed: [{name: 'my disk'}],
			kept: [{name: '24.04', reason: 'it was used 3 hours ago'}],
		});
	});

	test('a mistake is told without asking anybody', async () => {
		for (const argv of [['eat'], ['list', 'prune'], ['--all'], ['size', '--all'], ['--format', 'csv']]) {
			expect(await drover(['images', ...argv])).toMatchObject({code: 1, connections: 0, out: ''});
		}
	});
});

test('find tells what a person should know beside its output', async () => {
	const engine = Object.assign(new FakeEngine(), {notes: ['The catalogue release is\u001B[2J old.']});
	const {out, err, code} = await drover(['find', '--format', 'json'], {engine});
	expect(code).toBe(0);
	expect(err).toBe('The catalogue release is old.\n');
	expect(Object.keys(JSON.parse(out).images)).toEqual(['micro']);
});
