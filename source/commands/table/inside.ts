import type {CommandSpec} from '../command.ts';
import {all, anyFormat, instance, nestedFormat, timeout} from './common.ts';

/** Getting into instances, and what they share with the host. */
export const insideCommands: readonly CommandSpec[] = [
	{
		name: 'shell',
		aliases: ['sh', 'connect'],
		usage: '[options] [<name>]',
		summary: 'Open a shell on an instance',
		description: 'Open a shell in an instance.',
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
				help: 'Run it in the home of the user, even where the directory you are in is mounted in the instance',
			},
		],
		arguments: [
			{name: 'name', help: 'The instance to run it in'},
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
				help: 'Run it in the home of the user, even where the directory you are in is mounted in the instance',
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
		description: 'Make another context of aliases the current one; a new name begins a new context.',
		arguments: [{name: 'name', help: 'The context that becomes current'}],
	},
	{
		name: 'transfer',
		aliases: ['copy-files'],
		usage: '[options] <source> [<source> ...] <target>',
		summary: 'Copy files between the host and instances',
		description:
			'Copy files and directories into instances, or out of them. Either all sources or the target are in an instance, written as <name>:<path>; a relative path is below the home of the instance\'s user. "-" stands for stdin or stdout. A file of the host that has a colon in its name is written with "./" before it.',
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
			{name: 'source', help: 'The directory of this host'},
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
];
