/**
 * Every key of the dashboard in one place. The footer, the help, the palette, the key handler and `drover help keys`
 * are all derived from this list, so none of them can say something else. Pure data: no React, no Ink.
 */

/** Where a key is understood. `list` stands for every screen with rows, `everywhere` for all that take no text. */
export type Where =
	| 'everywhere'
	| 'list'
	| 'table'
	| 'menu'
	| 'detail'
	| 'form'
	| 'operations'
	| 'alerts'
	| 'finder'
	| 'filter'
	| 'drivers'
	| 'doctor'
	| 'copy'
	| 'order'
	| 'confirm';

export type Group = 'Move' | 'Select' | 'Instance' | 'Screens' | 'Session';

/** What an action needs; the reason why it cannot be done now is derived from it. */
export type Need = 'target' | 'one-target' | 'connection' | 'marks' | 'filter' | 'operation' | 'cancellable' | 'failed';

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

const target = ['connection', 'target'] as const;

export const keyActions: readonly KeyAction[] = [
	{id: 'list.up', keys: ['up', 'k'], title: 'row up', where: ['list', 'finder', 'form'], group: 'Move'},
	{id: 'list.down', keys: ['down', 'j'], title: 'row down', where: ['list', 'finder', 'form'], group: 'Move'},
	{id: 'list.page-up', keys: ['pgup'], title: 'page up', where: ['list', 'finder'], group: 'Move'},
	{id: 'list.page-down', keys: ['pgdn'], title: 'page down', where: ['list', 'finder'], group: 'Move'},
	{id: 'list.half-up', keys: ['ctrl-u'], title: 'half a page up', where: ['list'], group: 'Move'},
	{id: 'list.half-down', keys: ['ctrl-d'], title: 'half a page down', where: ['list'], group: 'Move'},
	{id: 'list.first', keys: ['home', 'g'], title: 'first row', where: ['list'], group: 'Move'},
	{id: 'list.last', keys: ['end', 'G'], title: 'last row', where: ['list'], group: 'Move'},

	{id: 'menu.run', keys: ['enter'], title: 'run the line', where: ['menu'], group: 'Select', hint: 'run'},
	{
		id: 'instance.menu',
		keys: ['enter'],
		title: 'action menu',
		where: ['table', 'detail'],
		group: 'Instance',
		hint: 'actions',
		needs: ['target'],
	},
	{
		id: 'instance.details',
		keys: ['right', 'l'],
		title: 'details',
		where: ['table'],
		group: 'Instance',
		needs: ['one-target'],
		command: 'drover info NAME',
	},
	{
		id: 'instance.pane',
		keys: ['i'],
		title: 'info pane (details on a narrow screen)',
		where: ['table', 'menu'],
		group: 'Instance',
	},
	{
		id: 'instance.shell',
		keys: ['c'],
		title: 'shell',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		hint: 'shell',
		needs: ['connection', 'one-target'],
		command: 'drover shell NAME',
	},
	{
		id: 'instance.start',
		keys: ['s'],
		title: 'start or resume',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover start NAME',
	},
	{
		id: 'instance.stop',
		keys: ['t'],
		title: 'stop',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover stop NAME',
	},
	{
		id: 'instance.restart',
		keys: ['r'],
		title: 'restart',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover restart NAME',
	},
	{
		id: 'instance.suspend',
		keys: ['z'],
		title: 'suspend',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover suspend NAME',
	},
	{
		id: 'instance.snapshot',
		keys: ['p'],
		title: 'snapshot',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
	},
	{
		id: 'instance.mounts',
		keys: ['m'],
		title: 'mounts',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
	},
	{
		id: 'instance.networks',
		keys: ['v'],
		title: 'networks',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
	},
	{
		id: 'instance.edit',
		keys: ['e'],
		title: 'edit cpu, memory, disk',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
	},
	{
		id: 'instance.duplicate',
		keys: ['d'],
		title: 'duplicate',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
	},
	{
		id: 'instance.delete',
		keys: ['x'],
		title: 'delete (to the trash)',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover delete NAME',
	},
	{
		id: 'instance.recover',
		keys: ['u'],
		title: 'recover from the trash',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover recover NAME',
	},
	{
		id: 'instance.purge',
		keys: [],
		title: 'purge for good',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover delete --purge NAME',
	},
	{
		id: 'instance.power-off',
		keys: [],
		title: 'cut the power',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: target,
		command: 'drover stop --force NAME',
	},
	{
		id: 'instance.copy',
		keys: ['y'],
		title: 'copy name, address or ssh command',
		where: ['table', 'menu', 'detail'],
		group: 'Instance',
		needs: ['one-target'],
	},

	{
		id: 'table.mark',
		keys: ['space'],
		title: 'mark and go on',
		where: ['table'],
		group: 'Select',
		hint: 'mark',
		needs: ['target'],
	},
	{id: 'table.mark-all', keys: ['*'], title: 'mark all shown', where: ['table'], group: 'Select'},
	{id: 'table.unmark', keys: ['U'], title: 'unmark all', where: ['table'], group: 'Select', needs: ['marks']},
	{id: 'table.filter', keys: ['/'], title: 'filter', where: ['table'], group: 'Select', hint: 'filter'},
	{id: 'table.order', keys: ['o'], title: 'order by', where: ['table'], group: 'Select'},
	{id: 'table.pause', keys: ['.'], title: 'pause live updates', where: ['table'], group: 'Select'},

	{
		id: 'screen.launch',
		keys: ['n'],
		title: 'launch an instance',
		where: ['table'],
		group: 'Screens',
		hint: 'new',
		needs: ['connection'],
		command: 'drover launch',
	},
	{
		id: 'screen.drivers',
		keys: ['w'],
		title: 'drivers',
		where: ['table', 'doctor'],
		group: 'Screens',
		hint: 'driver',
		command: 'drover drivers',
	},
	{
		id: 'screen.operations',
		keys: ['b'],
		title: 'operations',
		where: ['table', 'detail'],
		group: 'Screens',
		hint: 'ops',
	},
	{id: 'screen.alerts', keys: ['!'], title: 'alerts and errors', where: ['table', 'detail'], group: 'Screens'},
	{
		id: 'screen.doctor',
		keys: ['D'],
		title: 'doctor',
		where: ['table', 'drivers'],
		group: 'Screens',
		command: 'drover doctor',
	},
	{id: 'screen.palette', keys: [':'], title: 'command palette', where: ['everywhere'], group: 'Screens', hint: 'cmd'},
	{id: 'screen.help', keys: ['?'], title: 'this help', where: ['everywhere'], group: 'Screens', hint: 'help'},

	{
		id: 'detail.next-tab',
		keys: ['tab', 'right', 'l'],
		title: 'next tab',
		where: ['detail'],
		group: 'Move',
		hint: 'tabs',
	},
	{
		id: 'detail.previous-tab',
		keys: ['left', 'h', 'shift-tab'],
		title: 'previous tab (back from the first)',
		where: ['detail'],
		group: 'Move',
	},
	{id: 'detail.tab-1', keys: ['1'], title: 'overview', where: ['detail'], group: 'Screens'},
	{id: 'detail.tab-2', keys: ['2'], title: 'events', where: ['detail'], group: 'Screens'},
	{id: 'detail.tab-3', keys: ['3'], title: 'console', where: ['detail'], group: 'Screens'},

	{
		id: 'operations.log',
		keys: ['enter'],
		title: 'whole log',
		where: ['operations'],
		group: 'Screens',
		hint: 'log',
		needs: ['operation'],
	},
	{
		id: 'operations.cancel',
		keys: ['x'],
		title: 'cancel',
		where: ['operations'],
		group: 'Instance',
		hint: 'cancel',
		needs: ['connection', 'cancellable'],
	},
	{
		id: 'operations.retry',
		keys: ['r'],
		title: 'retry what failed',
		where: ['operations'],
		group: 'Instance',
		hint: 'retry',
		needs: ['connection', 'failed'],
	},
	{
		id: 'operations.copy',
		keys: ['y'],
		title: 'copy the error',
		where: ['operations'],
		group: 'Instance',
		hint: 'copy error',
		needs: ['failed'],
	},
	{id: 'alerts.copy', keys: ['y'], title: 'copy the alert', where: ['alerts'], group: 'Instance', hint: 'copy'},
	{id: 'doctor.copy', keys: ['y'], title: 'copy the fix', where: ['doctor'], group: 'Instance', hint: 'copy fix'},
	{
		id: 'doctor.close',
		keys: ['enter'],
		title: 'go on to the instances',
		where: ['doctor'],
		group: 'Screens',
		hint: 'go on',
	},
	{id: 'copy.choose', keys: ['enter'], title: 'copy the line', where: ['copy'], group: 'Select', hint: 'copy'},
	{id: 'drivers.choose', keys: ['enter'], title: 'use the driver', where: ['drivers'], group: 'Select', hint: 'use it'},
	{id: 'order.choose', keys: ['enter'], title: 'order by the line', where: ['order'], group: 'Select', hint: 'order'},
	{id: 'finder.run', keys: ['enter'], title: 'run the line', where: ['finder'], group: 'Select', hint: 'run'},
	{id: 'filter.keep', keys: ['enter'], title: 'keep the filter', where: ['filter'], group: 'Select', hint: 'keep'},

	{
		id: 'form.next',
		keys: ['enter'],
		title: 'next field; on Launch start',
		where: ['form'],
		group: 'Move',
		hint: 'next',
	},
	{id: 'form.next-field', keys: ['tab'], title: 'next field', where: ['form'], group: 'Move', hint: 'field'},
	{id: 'form.previous-field', keys: ['shift-tab'], title: 'previous field', where: ['form'], group: 'Move'},
	{id: 'form.copy', keys: ['ctrl-y'], title: 'copy the command line', where: ['form'], group: 'Select', hint: 'copy'},

	{
		id: 'confirm.yes',
		keys: ['y'],
		title: 'yes (every other key is no)',
		where: ['confirm'],
		group: 'Select',
		hint: 'yes',
	},

	{
		id: 'session.back',
		keys: ['esc', 'q', 'h', 'left'],
		title: 'one step back (q on the table quits)',
		where: ['everywhere'],
		group: 'Session',
	},
	{
		id: 'session.refresh',
		keys: ['ctrl-r'],
		title: 'refresh now',
		where: ['everywhere'],
		group: 'Session',
	},
	{id: 'session.redraw', keys: ['ctrl-l'], title: 'redraw', where: ['everywhere'], group: 'Session'},
	{
		id: 'session.stop',
		keys: ['ctrl-z'],
		title: 'to the shell (fg comes back)',
		where: ['everywhere'],
		group: 'Session',
	},
	{id: 'session.quit', keys: ['ctrl-c'], title: 'quit', where: ['everywhere'], group: 'Session'},
];
