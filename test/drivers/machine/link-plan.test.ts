import {describe, expect, test} from 'vitest';
import {deepestLayers, planLink} from '../../../source/drivers/machine/link-plan.ts';

const layers = (count: number) => Array.from({length: count}, (_, index) => `/layers/${index}`);

describe('what a linked clone and its source are to share', () => {
	test('is the disk as it is, made into the layer that was chosen', () => {
		expect(planLink({layers: [], isUntouched: false, wanted: '/new'})).toEqual({kind: 'make', layer: '/new'});
		// Over an image alone nothing is shared yet, however little has been written.
		expect(planLink({layers: [], isUntouched: true, wanted: '/new'})).toEqual({kind: 'make', layer: '/new'});
		expect(planLink({layers: layers(2), isUntouched: false, wanted: '/new'})).toEqual({kind: 'make', layer: '/new'});
	});

	test('is the layer that is there when nothing was written since: a second clone makes nothing deeper', () => {
		const deep = layers(deepestLayers);
		expect(planLink({layers: deep, isUntouched: true, wanted: '/new'})).toEqual({kind: 'share', layer: '/layers/0'});
	});

	test('is what an earlier attempt made, though the source was written to since', () => {
		const after = ['/layers/other', '/new', '/layers/old'];
		expect(planLink({layers: after, isUntouched: false, wanted: '/new'})).toEqual({kind: 'share', layer: '/new'});
	});

	test('is refused when it would become too deep', () => {
		const plan = (count: number) => planLink({layers: layers(count), isUntouched: false, wanted: '/new'}).kind;
		expect([plan(deepestLayers - 1), plan(deepestLayers)]).toEqual(['make', 'refuse']);
	});
});
