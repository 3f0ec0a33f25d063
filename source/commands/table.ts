import type {ArgumentSpec, CommandSpec, OptionSpec} from './command.ts';

const anyFormat: OptionSpec = {
	long: 'format',
	value: '<format>',
	help: 'Output in the requested format. Valid formats are: table (default), json, csv and yaml',
};
const nestedFormat: OptionSpec = {
	long: 'format',
	value: '<format>',
	help: 'Output in the requested format. Valid formats are: table (default), json and yaml',
};
const timeout: OptionSpec = {
	long: 'timeout',
	value: '<timeout>',
	help: 'Maximum time, in seconds, to wait for the command to complete. The operation goes on in the background beyond that. By default, instance startup is limited to 5 minutes.',
};
const all = (help: string): OptionSpec => ({long: 'all', help});
const instance: ArgumentSpec = {name: 'name', help: 'Name of the instance'};
const primaryWithout = 'If omitted, and without the --all option, the primary instance is assumed.';

/** Every command there is: parsing and help are made from this table. What each does is in the file of its name. */
export const commandTable: readonly CommandSpec[] = [
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
				long: 'target',
				value: '<member>',
				help: 'Member of the cluster to place the instance on. Only where the driver has a cluster.',
			},
			timeout,
		],
		arguments: [
			{
				name: 'image',
				help: 'What to launch: a name from "drover find", or the address of a disk image (http://, https:// or file://). If omitted, what the setting local.default-image names: micro, unless it was set.',
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
	{
		name: 'shell',
		aliases: ['sh', 'connect'],
		usage: '[options] [<name>]',
		summary: 'Open a shell on an instance',
		description: 'Open a shell prompt on the instance.',
		options: [timeout],
		arguments: [
			{
				name: 'name',
				help: 'Name of the instance. If omitted, the primary instance is assumed, and launched when it does not exist. An instance that is not running is started.',
			},
		],
	},
	{
		name: 'exec',
		usage: '[options] <name> [--] <command>',
		summary: 'Run a command on an instance',
		options: [
			{long: 'working-directory', short: 'd', value: '<dir>', help: 'Change to <dir> before execution'},
			{
				long: 'no-map-working-directory',
				short: 'n',
				help: 'Do not map the host execution path to a mounted path',
			},
		],
		arguments: [
			{name: 'name', help: 'Name of instance to execute the command on'},
			{name: 'command', help: 'Command to execute on the instance, with its arguments'},
		],
		unknownOption:
			'Options of the command itself go after "--", like this: drover exec <name> -- <command> <arguments>',
	},
	{
		name: 'alias',
		usage: '[options] <definition> [<name>]',
		summary: 'Create an alias',
		description:
			'Create an alias for a command in an instance. "drover <name> <arguments>" runs the command from then on, and so does <name> alone where the directory of the scripts is in the PATH.',
		options: [
			{
				long: 'no-map-working-directory',
				short: 'n',
				help: 'Do not map the host execution path to a mounted path',
			},
		],
		arguments: [
			{name: 'definition', help: 'What is run and where, in the form <instance>:<command>'},
			{name: 'name', help: 'Name of the alias. Default: the name of the command.'},
		],
	},
	{
		name: 'aliases',
		usage: '[options]',
		summary: 'List available aliases',
		description:
			'List all aliases with their contexts; the current context has a star. Those of the current context can be called by their names, all of them as <context>.<name>.',
		options: [anyFormat],
	},
	{
		name: 'unalias',
		usage: '[options] <name> [<name> ...]',
		summary: 'Remove aliases',
		options: [all('Remove all aliases from the current context')],
		arguments: [{name: 'name', help: 'Names of aliases to remove, of other contexts as <context>.<name>'}],
	},
	{
		name: 'prefer',
		usage: '[options] <name>',
		summary: 'Switch the current alias context',
		description: 'Switch the current alias context. If it does not exist, it is created.',
		arguments: [{name: 'name', help: 'Name of the context to switch to'}],
	},
	{
		name: 'transfer',
		aliases: ['copy-files'],
		usage: '[options] <source> [<source> ...] <target>',
		summary: 'Copy files between the host and instances',
		description:
			'Copy files and directories between the host and instances. Either all sources or the target are in an instance, written as <name>:<path>; a relative path is below the home of the instance\'s user. "-" stands for stdin or stdout. A file of the host that has a colon in its name is written with "./" before it.',
		options: [
			{long: 'recursive', short: 'r', help: 'Copy directories, with all that is in them'},
			{long: 'parents', short: 'p', help: 'Make missing directories above the target'},
		],
		arguments: [
			{name: 'source', help: 'What to copy: [<name>:]<path>, or "-" for stdin'},
			{name: 'target', help: 'Where to: [<name>:]<path>, or "-" for stdout. What is a directory is copied into.'},
		],
	},
	{
		name: 'mount',
		usage: '[options] <source> <target> [<target> ...]',
		summary: 'Mount a local directory in an instance',
		description:
			'Mount a local directory inside an instance. It stays mounted over restarts, until "drover umount" ends that.',
		options: [
			{
				long: 'gid-map',
				short: 'g',
				value: '<host>:<instance>',
				repeatable: true,
				help: "A group id of the host, and the one of the instance that it is seen as. Without any, your group is that of the instance's user.",
			},
			{
				long: 'uid-map',
				short: 'u',
				value: '<host>:<instance>',
				repeatable: true,
				help: "A user id of the host, and the one of the instance that it is seen as. Without any, you are the instance's user.",
			},
			{
				long: 'type',
				short: 't',
				value: '<type>',
				help: "How to mount: native is the driver's own way, classic goes over SSH and works under every driver. Default: native where the driver can do it while the instance runs, else classic.",
			},
		],
		arguments: [
			{name: 'source', help: 'Path of the local directory to mount'},
			{
				name: 'target',
				help: "Where to mount it: <name>[:<path>]. A relative path is below the home of the instance's user; without one the name of the directory is used.",
			},
		],
	},
	{
		name: 'umount',
		aliases: ['unmount'],
		usage: '[options] <mount> [<mount> ...]',
		summary: 'Unmount a directory from an instance',
		arguments: [
			{
				name: 'mount',
				help: 'What to unmount: <name>[:<path>]. Without a path, all mounts of the instance.',
			},
		],
	},
	{
		name: 'snapshot',
		usage: '[options] <instance>',
		summary: 'Take a snapshot of an instance',
		description:
			'Take a snapshot of an instance that can later be restored to recover its present state: its disk, and what it consists of. Of an instance that runs, its disk is kept as after a power cut; its memory never is. Only where the driver can.',
		options: [
			{
				long: 'name',
				short: 'n',
				value: '<name>',
				help: 'Name for the snapshot, with the same rules as for an instance. Default: snapshotN, where N is one more than were ever taken of the instance.',
			},
			{
				long: 'comment',
				short: 'c',
				value: '<comment>',
				help: 'A comment for the snapshot; -m does the same',
			},
			{long: 'message', short: 'm', value: '<comment>', hidden: true, help: 'The same as --comment'},
		],
		arguments: [{name: 'instance', help: 'The instance to take a snapshot of'}],
	},
	{
		name: 'restore',
		usage: '[options] <instance>.<snapshot>',
		summary: 'Restore an instance from a snapshot',
		description:
			'Restore a stopped instance to the state it was in when a snapshot was taken: its disk, processors, memory, interfaces and mounts.',
		options: [
			{
				long: 'destructive',
				short: 'd',
				help: 'Discard the present state of the instance. Without it you are asked whether to take a snapshot of it before.',
			},
		],
		arguments: [{name: 'instance.snapshot', help: 'The snapshot to restore, and the instance it is of'}],
	},
	{
		name: 'clone',
		usage: '[options] <source>',
		summary: 'Clone an instance',
		description:
			'Make an independent copy of a stopped instance, with an identity of its own: name, addresses, host key and machine id. Snapshots are not copied. What cloud-init was told for the instance, it does once more in the clone.',
		options: [
			{
				long: 'name',
				short: 'n',
				value: '<name>',
				help: 'Name for the clone. Default: <source>-cloneN, where N is one more than were ever made of the source.',
			},
		],
		arguments: [{name: 'source', help: 'The instance to clone'}],
	},
	{
		name: 'forward',
		usage: '[options] <name> [[<address>:]<port>:<port>[/udp] ...]',
		summary: 'Forward ports of the host to an instance',
		description:
			'Have ports of the host lead into an instance, from now on and after each of its starts. They listen on 127.0.0.1 unless an address is given. Without ports, those that are forwarded are listed.',
		options: [
			{
				long: 'remove',
				value: '<port>[/udp]',
				repeatable: true,
				help: 'No longer forward this port of the host',
			},
			anyFormat,
		],
		arguments: [
			instance,
			{name: 'port', help: 'Port of the host, and after a colon the port of the instance that it leads to'},
		],
	},
	{
		name: 'networks',
		usage: '[options]',
		summary: 'List the networks that instances can be connected to',
		description:
			'List the networks of the host that instances can be given a further interface on: at their launch with "launch --network", later with "set local.<name>.bridged=true". Only where the driver can.',
		options: [anyFormat],
	},
	{
		name: 'console',
		usage: '[options] <name>',
		summary: 'Show what an instance wrote to its console',
		options: [{long: 'lines', short: 'l', value: '<lines>', help: 'How many of the last lines. Default: 100.'}],
		arguments: [instance],
	},
	{
		name: 'events',
		usage: '[options] <name>',
		summary: 'Show the history of an instance',
		options: [nestedFormat],
		arguments: [instance],
	},
	{
		name: 'operations',
		usage: '[options] [log <id> | wait <id> | cancel <id>]',
		summary: 'List, follow or cancel work under way',
		description:
			'Work that was begun by any client goes on without it. Without arguments, lists what is under way and what ended lately.',
		options: [
			nestedFormat,
			{long: 'timeout', value: '<timeout>', help: 'For wait: maximum time, in seconds, to wait for the end.'},
		],
		arguments: [
			{name: 'log', help: 'Show the log of the operation'},
			{name: 'wait', help: 'Follow the operation to its end'},
			{name: 'cancel', help: 'Cancel the operation; what it has done is cleaned up'},
		],
	},
	{
		name: 'adopt',
		usage: '[options] <name> | --from <software> [<name> ...]',
		summary: 'Put a broken instance back, or take over one of other software',
		description:
			"Put the last good record of a broken instance back; the one that could not be read is kept beside it. With --from, take over instances that other software made and the current driver can see: they stay where they are and are drover's from then on. Without names, --from lists those there are.",
		options: [
			{long: 'from', value: '<software>', help: 'Whose instances to take over: multipass'},
			all('Take over all that can be'),
			{
				...nestedFormat,
				help: `For the list: ${nestedFormat.help.charAt(0).toLowerCase()}${nestedFormat.help.slice(1)}`,
			},
		],
		arguments: [{name: 'name', help: 'Name of the instance, or with --from names of instances'}],
	},
	{
		name: 'forget',
		usage: '[options] <name>',
		summary: 'Let go of a broken instance, keeping its files',
		description:
			'Let go of a broken instance: its files are set aside and none is removed. A machine that runs without any record is ended.',
		arguments: [instance],
	},
	{
		name: 'find',
		usage: '[options] [<remote:>][<string>]',
		summary: 'Display images to launch instances from',
		description:
			'Lists available images matching <string> for creating instances from. With no search string, lists all images. The remotes are release, daily and core; without one all are searched.',
		options: [
			{long: 'show-unsupported', help: 'Show unsupported images as well'},
			{long: 'only-images', help: 'Show only images'},
			{long: 'only-blueprints', hidden: true, help: 'There are no blueprints'},
			anyFormat,
			{long: 'force-update', help: 'Force the image information to update from the network'},
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
		description:
			'Get the configuration setting corresponding to the given key. "drover get --keys" lists the keys there are.',
		options: [
			{
				long: 'raw',
				help: 'Output in raw format: this affects only the representation of empty values (i.e. "" instead of "<empty>").',
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
			'Set, to the given value, the configuration setting corresponding to the given key. "drover get --keys" lists the keys there are. Processors, memory and disk of an instance (local.<name>.cpus, .memory, .disk) are changed while it is stopped; a disk can only grow.',
		arguments: [
			{
				name: 'keyval',
				help: 'A key, or a key and its value. If only the key is given, the value will be prompted for.',
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
		arguments: [{name: 'command', help: 'Name of command to display help for; "keys" for the keys of the dashboard'}],
	},
];

export function findCommand(name: string): CommandSpec | undefined {
	return commandTable.find(spec => spec.name === name || spec.aliases?.includes(name));
}
