import type {ArgumentSpec, OptionSpec} from '../command.ts';

/** What several commands have in common. */
export const anyFormat: OptionSpec = {
	long: 'format',
	value: '<format>',
	help: 'Output in the requested format. Valid formats are: table (default), json, csv and yaml',
};
export const nestedFormat: OptionSpec = {
	long: 'format',
	value: '<format>',
	help: 'Output in the requested format. Valid formats are: table (default), json and yaml',
};
export const timeout: OptionSpec = {
	long: 'timeout',
	value: '<timeout>',
	help: 'Maximum time, in seconds, to wait for the command to complete. The operation goes on in the background beyond that. By default, instance startup is limited to 5 minutes.',
};
export const all = (help: string): OptionSpec => ({long: 'all', help});
export const instance: ArgumentSpec = {name: 'name', help: 'Name of the instance'};
export const primaryWithout = 'If omitted, and without the --all option, the primary instance is assumed.';
