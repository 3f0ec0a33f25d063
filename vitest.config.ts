import {defineConfig} from 'vitest/config';

/** Tests with real machines, real terminals or many processes: one file at a time, or they would be short of processors. */
const heavy = [
	'test/**/*.real.test.{ts,tsx}',
	'test/contract/**/*.test.{ts,tsx}',
	'test/tui/**/*.test.{ts,tsx}',
	'test/end-to-end/**/*.test.{ts,tsx}',
	'test/faults/**/*.test.{ts,tsx}',
];

export default defineConfig({
	test: {
		reporters: ['default', './test/support/summary-reporter.ts'],
		projects: [
			{
				test: {
					name: 'quick',
					include: ['test/**/*.test.{ts,tsx}'],
					exclude: heavy,
					testTimeout: 20_000,
					hookTimeout: 20_000,
					sequence: {groupOrder: 0},
				},
			},
			{
				test: {
					name: 'machines',
					include: heavy,
					fileParallelism: false,
					testTimeout: 120_000,
					hookTimeout: 240_000,
					sequence: {groupOrder: 1},
				},
			},
		],
	},
});
