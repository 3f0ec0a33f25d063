import type {CommandSpec} from '../command.ts';
import {all, instance, nestedFormat} from './common.ts';

/** What is kept of instances, and what is taken over or let go of. */
export const keepingCommands: readonly CommandSpec[] = [
	{
		name: 'snapshot',
		usage: '[options] <instance>',
		summary: 'Take a snapshot of an instance',
		description:
			'Keep an instance as it is now, so that it can be restored to this later: its disk, and what it consists of. Of one that runs, its disk is kept as after a power cut; its memory never is. Only where the driver can.',
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
		arguments: [{name: 'instance', help: 'The instance to keep'}],
	},
	{
		name: 'restore',
		usage: '[options] <instance>.<snapshot>',
		summary: 'Restore an instance from a snapshot',
		description:
			'Make a stopped instance what it was at a snapshot again: its disk, processors, memory, interfaces and mounts.',
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
				long: 'linked',
				help: 'Copy nothing: share what the disk has now, which is never written again. Both take disk space only for what they write from then on, either can be deleted, and what is shared goes with the last of them. Not for an instance with snapshots, and at most 8 deep; a full clone of a linked one shares nothing. Only where the driver can.',
			},
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
		name: 'operations',
		usage: '[options] [log <id> | wait <id> | cancel <id>]',
		summary: 'List, follow or cancel work under way',
		description:
			'Work that was begun by any client goes on without it. Without arguments, lists what is under way and what ended lately.',
		options: [
			nestedFormat,
			{long: 'timeout', value: '<timeout>', help: 'For wait: how long to wait for the end at most, in seconds'},
		],
		arguments: [
			{name: 'log', help: 'Show the log of the operation'},
			{name: 'wait', help: 'Follow the operation to its end'},
			{name: 'cancel', help: 'Cancel the operation; what it has done is cleaned up'},
		],
	},
	{
		name: 'move',
		usage: '[options] --to <driver> <name>',
		summary: 'Move a stopped instance to another driver',
		description:
			'Copy an instance into the scope of another driver, with its disk, sizes and mounts, and what its guest knows itself by. The copy is booted there once, until it answers, and stopped again; only then is the move done. The original stays where it is until it is deleted, or goes with --purge. When anything fails the copy is removed and the original is as it was. What it would lose under the other driver is told before, and asked about.',
		options: [
			{long: 'to', value: '<driver>', help: 'The driver to move it to: qemu, lxd, virtualbox or hyperv'},
			{long: 'dry-run', help: 'Only show what would be done'},
			{long: 'stop', help: 'Stop it when it runs'},
			{long: 'purge', help: 'Remove the original once its copy has answered'},
			{long: 'yes', short: 'y', help: 'Do not ask about what it would lose'},
			nestedFormat,
		],
		arguments: [instance],
	},
	{
		name: 'import',
		usage: '[options] multipass [<name> ...]',
		summary: 'Bring the instances of Multipass over, by copying',
		description:
			'Copy the instances of an installed Multipass into drover\'s current scope, with their sizes, addresses and mounts: all that are stopped, or those named. Multipass\'s own are only read and stay as they are. What was imported before is known again, whatever it is called by now, so that this can be run as often as one likes. Exits with 2 when some were skipped; each is told with the reason. Instances that Multipass has on an LXD server are taken over with "drover adopt --from multipass".',
		options: [
			{long: 'dry-run', help: 'Only show what would be done'},
			{
				long: 'from',
				value: '<directory>',
				help: "A directory of Multipass's data. Default: where Multipass keeps it on this host.",
			},
			{long: 'as', value: '<name>', help: 'Another name for the one instance that is named'},
			{
				long: 'discard-memory',
				help: 'Also those that are suspended, without their memory: they will boot as after a power cut',
			},
			nestedFormat,
		],
		arguments: [
			{name: 'multipass', help: 'The software to import from'},
			{name: 'name', help: 'Name of an instance there; without names, all'},
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
];
