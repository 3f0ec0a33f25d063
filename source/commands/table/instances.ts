import type {CommandSpec} from '../command.ts';
import {all, anyFormat, primaryWithout, timeout} from './common.ts';

/** Making instances, and their lives. */
export const instancesCommands: readonly CommandSpec[] = [
	{
		name: 'launch',
		usage: '[options] [<image> | <url>]',
		summary: 'Create and start an instance',
		description: 'Create and start a new instance.',
		options: [
			{long: 'cpus', short: 'c', value: '<cpus>', help: 'Number of CPUs to allocate. Minimum: 1, default: 1.'},
			{
				long: 'disk',
				short: 'd',
				value: '<disk>',
				help: 'Disk space to allocate. Positive integers, in bytes, or decimals, with K, M, G suffix. Minimum: 512M, default: 5G.',
			},
			{
				long: 'memory',
				short: 'm',
				value: '<memory>',
				help: 'Amount of memory to allocate. Positive integers, in bytes, or decimals, with K, M, G suffix. Minimum: 128M, default: 1G.',
			},
			{long: 'mem', value: '<memory>', hidden: true, help: 'The same as --memory'},
			{
				long: 'name',
				short: 'n',
				value: '<name>',
				help: 'Name for the instance: letters, digits and hyphens; it starts with a letter and ends with a letter or a digit. Default: two words by chance.',
			},
			{
				long: 'cloud-init',
				value: '<file> | <url>',
				help: 'Path or URL to a user-data cloud-init configuration, or \'-\' for stdin, or template:<name> for one that "drover templates" lists',
			},
			{
				long: 'profile',
				value: '<name>',
				help: 'Profile with options for the launch, as "drover profiles" lists them. Options on the command line go first.',
			},
			{
				long: 'network',
				value: '<spec>',
				repeatable: true,
				help: 'Add a network interface to the instance: a network\'s name, or "key=value,key=value" with the keys name, mode (auto or manual) and mac. Only where the driver can; "drover networks" lists them.',
			},
			{
				long: 'bridged',
				help: 'Adds one "--network bridged" network: the one that the setting local.bridged-network names.',
			},
			{
				long: 'mount',
				value: '<local-path>:<instance-path>',
				repeatable: true,
				help: 'Mount a local directory inside the instance. If <instance-path> is omitted, the mount point is below the home of its user, under the name of the directory.',
			},
			{
				long: 'type',
				value: '<type>',
				help: 'How --mount mounts: native or classic, as "drover mount --type" has it.',
			},
			{
				long: 'target',
				value: '<member>',
				help: 'Member of the cluster to place the instance on. Only where the driver has a cluster.',
			},
			timeout,
		],
		arguments: [
			{
				name: 'image',
				help: 'What to launch: a name from "drover find", or the address of a disk image (http://, https:// or file://). If omitted, what the setting local.default-image names: the newest Ubuntu LTS, unless it was set.',
			},
		],
	},
	{
		name: 'list',
		aliases: ['ls'],
		usage: '[options]',
		summary: 'List all instances',
		description: 'List all instances of the current driver, the deleted ones included.',
		options: [
			{long: 'snapshots', help: 'List all available snapshots'},
			anyFormat,
			{long: 'no-ipv4', hidden: true, help: 'Do not ask for IPv4 addresses'},
		],
	},
	{
		name: 'info',
		usage: '[options] [<instance>[.snapshot] ...]',
		summary: 'Display information about instances',
		description: 'Display information about instances and their snapshots.',
		options: [
			{long: 'snapshots', help: 'Display all snapshots of the named instances, and nothing else'},
			anyFormat,
			{long: 'no-runtime-information', hidden: true, help: 'Do not ask the guests'},
		],
		arguments: [
			{
				name: 'instance',
				help: 'Names of instances or snapshots to display. If omitted, all instances are shown.',
			},
		],
	},
	{
		name: 'start',
		usage: '[options] [<name> ...]',
		summary: 'Start instances',
		description:
			'Start the named instances. Exits with return code 0 when the instances start, or with an error code if any fail to start.',
		options: [
			all('Start all instances'),
			{long: 'discard-memory', help: 'Throw the saved memory of a suspended instance away, and boot it from its disk'},
			timeout,
		],
		arguments: [
			{
				name: 'name',
				help: `Names of instances to start. ${primaryWithout} If the primary instance does not exist, it is launched.`,
			},
		],
	},
	{
		name: 'stop',
		usage: '[options] [<name> ...]',
		summary: 'Stop running instances',
		description: 'Stop the named instances. Exits with return code 0 if successful.',
		options: [
			all('Stop all instances'),
			{long: 'time', short: 't', value: '<time>', help: 'Time from now, in minutes, to delay the stop'},
			{long: 'cancel', short: 'c', help: 'Cancel a pending delayed stop'},
			{
				long: 'force',
				help: 'Cut the power at once. Warning: what the instance has not written to its disk is lost, and so is the saved memory of a suspended one.',
			},
		],
		arguments: [{name: 'name', help: `Names of instances to stop. ${primaryWithout}`}],
	},
	{
		name: 'restart',
		usage: '[options] [<name> ...]',
		summary: 'Restart instances',
		description:
			'Restart the named instances. Exits with return code 0 when the instances restart, or with an error code if any fail to restart.',
		options: [all('Restart all instances'), timeout],
		arguments: [{name: 'name', help: `Names of instances to restart. ${primaryWithout}`}],
	},
	{
		name: 'suspend',
		usage: '[options] [<name> ...]',
		summary: 'Suspend running instances',
		description: 'Suspend the named instances, if running. Exits with return code 0 if successful.',
		options: [all('Suspend all instances')],
		arguments: [{name: 'name', help: `Names of instances to suspend. ${primaryWithout}`}],
	},
	{
		name: 'delete',
		usage: '[options] <instance>[.snapshot] [<instance>[.snapshot] ...]',
		summary: 'Delete instances and snapshots',
		description:
			'Delete instances and snapshots. Snapshots can only be purged. Instances can be purged immediately or later on, with the "purge" command. Until they are purged, they can be recovered with the "recover" command.',
		options: [
			all('Delete all instances'),
			{long: 'purge', short: 'p', help: 'Permanently delete the instances and snapshots, including all their data'},
		],
		arguments: [{name: 'instance', help: 'Names of instances and snapshots to delete'}],
	},
	{
		name: 'recover',
		usage: '[options] <name> [<name> ...]',
		summary: 'Recover deleted instances',
		description: 'Recover deleted instances so they can be used again.',
		options: [all('Recover all deleted instances')],
		arguments: [{name: 'name', help: 'Names of instances to recover'}],
	},
	{
		name: 'purge',
		usage: '[options]',
		summary: 'Purge all deleted instances permanently',
		description: 'Purge all deleted instances permanently, including all their data.',
	},
];
