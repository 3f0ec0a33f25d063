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
			{long: 'cpus', short: 'c', value: '<cpus>', help: 'Number of its processors. Default: 1.'},
			{
				long: 'disk',
				short: 'd',
				value: '<disk>',
				help: 'Size of its disk: bytes, or a number with K, M or G. At least 512M, default: 5G.',
			},
			{
				long: 'memory',
				short: 'm',
				value: '<memory>',
				help: 'Size of its memory: bytes, or a number with K, M or G. At least 128M, default: 1G.',
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
				help: 'The cloud-config to apply: a file, an address, "-" for stdin, or template:<name> for one that "drover templates" lists',
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
				help: 'Give it a further interface: a network\'s name, or "key=value,key=value" with the keys name, mode (auto or manual) and mac. Only where the driver can; "drover networks" lists them.',
			},
			{
				long: 'bridged',
				help: 'Adds one "--network bridged" network: the one that the setting local.bridged-network names.',
			},
			{
				long: 'mount',
				value: '<local-path>:<instance-path>',
				repeatable: true,
				help: "Let it see a directory of this host. Without <instance-path> that is under its own name in the home of the instance's user.",
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
				help: 'Instances or snapshots to show. Without any, all instances.',
			},
		],
	},
	{
		name: 'start',
		usage: '[options] [<name> ...]',
		summary: 'Start instances',
		description: 'Start instances, and wait until they answer. What is suspended is resumed.',
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
		description: 'Stop instances: the guest is asked to power off, and waited for.',
		options: [
			all('Stop all instances'),
			{long: 'time', short: 't', value: '<time>', help: 'Stop in so many minutes; users in the guest are warned'},
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
		description: 'Restart instances that run, and wait until they answer again.',
		options: [all('Restart all instances'), timeout],
		arguments: [{name: 'name', help: `Names of instances to restart. ${primaryWithout}`}],
	},
	{
		name: 'suspend',
		usage: '[options] [<name> ...]',
		summary: 'Suspend running instances',
		description: 'Suspend instances that run: their memory is kept on disk, and start goes on where they were.',
		options: [all('Suspend all instances')],
		arguments: [{name: 'name', help: `Names of instances to suspend. ${primaryWithout}`}],
	},
	{
		name: 'delete',
		usage: '[options] <instance>[.snapshot] [<instance>[.snapshot] ...]',
		summary: 'Delete instances and snapshots',
		description:
			'Put instances into the trash, from which "recover" brings them back, until they are purged: by "purge", or here at once. Snapshots have no trash and can only be purged.',
		options: [
			all('Delete all instances'),
			{long: 'purge', short: 'p', help: 'Permanently delete the instances and snapshots, including all their data'},
		],
		arguments: [{name: 'instance', help: 'Instances and snapshots to delete'}],
	},
	{
		name: 'recover',
		usage: '[options] <name> [<name> ...]',
		summary: 'Recover deleted instances',
		description: 'Bring deleted instances back from the trash.',
		options: [all('Recover all deleted instances')],
		arguments: [{name: 'name', help: 'Names of instances to recover'}],
	},
	{
		name: 'purge',
		usage: '[options]',
		summary: 'Purge all deleted instances permanently',
		description: 'Remove all deleted instances for good, with their disks and snapshots.',
	},
];
