import type {CommandSpec} from '../command.ts';
import {anyFormat, nestedFormat} from './common.ts';

/** Images, networks, settings, drivers and drover itself. */
export const hostCommands: readonly CommandSpec[] = [
	{
		name: 'networks',
		usage: '[options]',
		summary: 'List the networks that instances can be connected to',
		description:
			'List the networks of the host that instances can be given a further interface on: at their launch with "launch --network", later with "set local.<name>.bridged=true". Only where the driver can.',
		options: [anyFormat],
	},
	{
		name: 'find',
		usage: '[options] [<remote:>][<string>]',
		summary: 'Display images to launch instances from',
		description:
			'Show what instances can be launched from, or of that what matches <string>. The remotes are release, daily and core; without one all are searched.',
		options: [
			{long: 'show-unsupported', help: 'Show unsupported images as well'},
			{long: 'only-images', help: 'Show only images'},
			{long: 'only-blueprints', hidden: true, help: 'There are no blueprints'},
			anyFormat,
			{long: 'force-update', help: 'Ask all catalogues anew instead of using what was fetched lately'},
		],
		arguments: [
			{
				name: 'string',
				help: 'Part of a name, an alias or a release, or the beginning of a hash; a remote before it, with a colon, limits the search to that',
			},
		],
	},
	{
		name: 'profiles',
		usage: '[options] [list | show <name>]',
		summary: 'List profiles: named sets of options for launches',
		description:
			'Profiles are written by you, into profiles.yaml in the directory of the settings. "drover launch --profile <name>" uses one.',
		options: [nestedFormat],
		arguments: [
			{name: 'list', help: 'Show all that can be used; what is wrong in the file is told, with its line'},
			{name: 'show', help: 'Show one with all that is in it'},
		],
	},
	{
		name: 'templates',
		usage: '[options] [list | show <name>]',
		summary: 'List cloud-init templates',
		description:
			'Cloud-configs that can be chosen by name: those that come with drover, and files in the directory cloud-init beside the settings. "drover launch --cloud-init template:<name>" uses one.',
		options: [nestedFormat],
		arguments: [
			{name: 'list', help: 'Show which there are'},
			{name: 'show', help: 'Show the text of one'},
		],
	},
	{
		name: 'images',
		usage: '[options] [list | prune | size]',
		summary: 'List or remove images that were downloaded or built',
		description:
			'Images are kept so that the next launch is quick, and removed when they were not used for 14 days. Without arguments, lists them.',
		options: [
			{long: 'all', help: 'For prune: remove all that no instance needs, however lately they were used'},
			nestedFormat,
		],
		arguments: [
			{name: 'list', help: 'Show what is kept, how large it is and when it was last used'},
			{name: 'prune', help: 'Remove what was not used for 14 days'},
			{name: 'size', help: 'Show how much space all of it takes'},
		],
	},
	{
		name: 'get',
		usage: '[options] [<key>]',
		summary: 'Get a configuration setting',
		description: 'Show the value of a setting. "drover get --keys" lists the keys there are.',
		options: [
			{
				long: 'raw',
				help: 'Print an empty value as nothing, instead of as "<empty>"',
			},
			{
				long: 'keys',
				help: 'List available settings keys: the whole list, or just <key>, if provided and a valid key.',
			},
		],
		arguments: [{name: 'key', help: 'Setting key, for example local.driver or local.<name>.memory'}],
	},
	{
		name: 'set',
		usage: '[options] <key>[=<value>]',
		summary: 'Set a configuration setting',
		description:
			'Change a setting. "drover get --keys" lists the keys there are. Processors, memory and disk of an instance (local.<name>.cpus, .memory, .disk) are changed while it is stopped; a disk can only grow.',
		arguments: [
			{
				name: 'keyval',
				help: 'A key and its value. Without a value you are asked for it.',
			},
		],
	},
	{
		name: 'switch',
		usage: '[options] [<driver>]',
		summary: 'Switch to another driver, and find its instances as they were left',
		description:
			'Park what runs under the current driver, make another one current, and bring back what ran under that when it was last left. If parking fails the current driver stays. "drover set local.driver=<driver>" does the same without asking. Exits with 6 when some instances could not be brought back.',
		options: [
			{long: 'dry-run', help: 'Only show what would be done'},
			{long: 'last', help: 'Tell what the last switch did, or what the one under way does'},
			{
				long: 'force',
				value: '<name>',
				repeatable: true,
				help: 'Cut the power of this instance when it has to be stopped',
			},
			{long: 'yes', short: 'y', help: 'Do not ask when running instances would lose their memory'},
			nestedFormat,
		],
		arguments: [{name: 'driver', help: 'qemu, libvirt, lxd, virtualbox or hyperv'}],
	},
	{
		name: 'drivers',
		usage: '[options]',
		summary: 'Show what can run instances here, and what it can do',
		options: [nestedFormat],
	},
	{
		name: 'doctor',
		usage: '[options]',
		summary: 'Check what drover needs on this host',
		options: [nestedFormat],
	},
	{
		name: 'version',
		usage: '[options]',
		summary: 'Show version details',
		description: 'Display version information about drover and, when it runs, its daemon.',
		options: [anyFormat],
	},
	{
		name: 'help',
		usage: '[options] [<command> | keys]',
		summary: 'Display help about a command',
		description: 'Displays help for a command, or the keys of the dashboard.',
		options: [{long: 'json', help: 'For keys: output as JSON'}],
		arguments: [{name: 'command', help: 'The command to explain; "keys" for the keys of the dashboard'}],
	},
];
