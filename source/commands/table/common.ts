import type {ArgumentSpec, OptionSpec} from '../command.ts';

/** What several commands have in common. */
export const anyFormat: OptionSpec = {
	long: 'format',
	value: '<format>',
	help: 'How to print it: table (default), json, csv or yaml',
};
export const nestedFormat: OptionSpec = {
	long: 'format',
	value: '<format>',
	help: 'How to print it: table (default), json or yaml',
};
export const timeout: OptionSpec = {
	long: 'timeout',
	value: '<timeout>',
	help: 'How long to wait at most, in seconds; what was begun goes on after that. A guest has 5 minutes to answer unless more are given.',
};
export const all = (help: string): OptionSpec => ({long: 'all', help});
export const instance: ArgumentSpec = {name: 'name', help: 'Name of the instance'};
export const primaryWithout = 'Without any, and without --all, it is the primary instance.';
