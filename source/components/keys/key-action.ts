/** Where a key is understood. `list` stands for every screen with rows, `everywhere` for all that take no text. */
export type Where =
	| 'everywhere'
	| 'list'
	| 'table'
	| 'menu'
	| 'detail'
	| 'form'
	| 'mounts'
	| 'networks'
	| 'snapshots'
	| 'import'
	| 'operations'
	| 'alerts'
	| 'finder'
	| 'filter'
	| 'drivers'
	| 'switch-plan'
	| 'switch-run'
	| 'doctor'
	| 'copy'
	| 'order'
	| 'confirm';

export type Group = 'Move' | 'Select' | 'Instance' | 'Screens' | 'Session';

/** What an action needs; the reason why it cannot be done now is derived from it. */
export type Need =
	| 'target'
	| 'one-target'
	| 'connection'
	| 'marks'
	| 'mount'
	| 'network'
	| 'snapshot'
	| 'operation'
	| 'cancellable'
	| 'failed';

export type KeyAction = {
	/** Stable name: `instance.stop`. */
	readonly id: string;
	/** Names of keys as `keyName` gives them; the first one is shown. */
	readonly keys: readonly string[];
	readonly title: string;
	readonly where: readonly Where[];
	readonly group: Group;
	/** A word or two for the bottom line; without it the key is not shown there. */
	readonly hint?: string;
	readonly needs?: readonly Need[];
	/** What does the same on the command line; `NAME` stands for the instance. */
	readonly command?: string;
};
