import type {CommandRun} from './command.ts';

/** The file of each command of the table, loaded when it is called and not before. */
export const loaders: Readonly<Record<string, () => Promise<{readonly run: CommandRun}>>> = {
	launch: () => import('./launch.ts'),
	list: () => import('./list.ts'),
	info: () => import('./info.ts'),
	start: () => import('./start.ts'),
	stop: () => import('./stop.ts'),
	restart: () => import('./restart.ts'),
	suspend: () => import('./suspend.ts'),
	delete: () => import('./delete.ts'),
	recover: () => import('./recover.ts'),
	purge: () => import('./purge.ts'),
	shell: () => import('./shell.ts'),
	exec: () => import('./exec.ts'),
	console: () => import('./console.ts'),
	events: () => import('./events.ts'),
	operations: () => import('./operations.ts'),
	find: () => import('./find.ts'),
	get: () => import('./get.ts'),
	set: () => import('./set.ts'),
	switch: () => import('./switch.ts'),
	drivers: () => import('./drivers.ts'),
	doctor: () => import('./doctor.ts'),
	version: () => import('./version.ts'),
	help: () => import('./help.ts'),
};
