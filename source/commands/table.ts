import type {CommandSpec} from './command.ts';
import {hostCommands} from './table/host.ts';
import {insideCommands} from './table/inside.ts';
import {instancesCommands} from './table/instances.ts';
import {keepingCommands} from './table/keeping.ts';

/** Every command there is, in the order of the general help: parsing and help are made from this table. What each does is in the file of its name. */
export const commandTable: readonly CommandSpec[] = [
	...instancesCommands,
	...insideCommands,
	...keepingCommands,
	...hostCommands,
];

export function findCommand(name: string): CommandSpec | undefined {
	return commandTable.find(spec => spec.name === name || spec.aliases?.includes(name));
}
