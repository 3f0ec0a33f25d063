import {stat} from 'node:fs/promises';
import path from 'node:path';
import type {CopyOptions, GuestFiles} from '../guest/guest-files.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {CopyLine} from './copy-line.ts';
import {eachInTurn} from './each.ts';
import {usageError} from './parse.ts';
import {tellWay} from './session.ts';
import {planTransfer, streamWord, type TransferPlan} from './transfer-plan.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const recursive = args.has('recursive');
	const plan = planTransfer(args.positionals, {recursive});
	const locals = plan.kind === 'push' ? await localSources(plan.sources, recursive, context) : [];
	const guests = await openGuests(plan, args.verbosity, context);
	const parents = args.has('parents');
	const options = {recursive, parents, into: args.positionals.length > 2};
	try {
		if (plan.kind === 'push') {
			const {name, path: target} = plan.target;
			await eachInTurn(locals, source => push(guests.get(name)!, source, target, options, context));
		} else {
			await eachInTurn(plan.sources, ({name, path: source}) =>
				pull(guests.get(name)!, source, plan.target, options, context),
			);
		}
	} finally {
		for (const guest of guests.values()) await guest.close();
	}
	return 0;
}

type Local = {readonly path: string; readonly size?: number};

/** What is wrong on this side is told before anyone is asked. @throws DroverError `usage.invalid` */
async function localSources(
	sources: readonly string[],
	recursive: boolean,
	context: CommandContext,
): Promise<readonly Local[]> {
	return Promise.all(
		sources.map(async source => {
			if (source === streamWord) return {path: source};
			const absolute = path.resolve(context.cwd, source);
			const shown = JSON.stringify(plainLine(source).slice(0, 200));
			const found = await stat(absolute).catch(() => undefined);
			if (found === undefined) throw usageError(`Source ${shown} does not exist.`);
			if (found.isDirectory()) {
				if (!recursive) throw usageError(`Source ${shown} is a directory.`, 'Use --recursive to copy it.');
				return {path: absolute};
			}
			return {path: absolute, size: found.size};
		}),
	);
}

/** One session with each instance that takes part; the daemon is not needed for the copying itself. */
async function openGuests(
	plan: TransferPlan,
	verbosity: number,
	context: CommandContext,
): Promise<ReadonlyMap<string, GuestFiles>> {
	const engine = await context.engine();
	const names = new Set(plan.kind === 'push' ? [plan.target.name] : plan.sources.map(source => source.name));
	const accesses = await Promise.all([...names].map(async name => [name, await engine.access({name})] as const));
	await context.closeEngine();
	const guests = new Map<string, GuestFiles>();
	try {
		for (const [name, access] of accesses) {
			if (access.kind === 'lxd') tellWay(access, verbosity, context);
			guests.set(name, await context.files(access));
		}
	} catch (error) {
		for (const guest of guests.values()) await guest.close();
		throw error;
	}
	return guests;
}

async function push(
	guest: GuestFiles,
	{path: source, size}: Local,
	target: string,
	options: CopyOptions,
	context: CommandContext,
): Promise<void> {
	if (source === streamWord) {
		await guest.push(context.pipes.stdin(), target, options);
		return;
	}
	await withLine(context, path.basename(source), size, onBytes => guest.push(source, target, {...options, onBytes}));
}

async function pull(
	guest: GuestFiles,
	source: string,
	target: string,
	options: CopyOptions,
	context: CommandContext,
): Promise<void> {
	if (target === streamWord) {
		await guest.pull(source, context.pipes.stdout(), options);
		return;
	}
	const absolute = path.resolve(context.cwd, target);
	await withLine(context, source === '' ? '~' : source, undefined, onBytes =>
		guest.pull(source, absolute, {...options, onBytes}),
	);
}

async function withLine(
	context: CommandContext,
	what: string,
	total: number | undefined,
	act: (onBytes: (count: number) => void) => Promise<void>,
): Promise<void> {
	const line = new CopyLine(context.stdout, what, total);
	try {
		await act(count => line.add(count));
	} finally {
		line.clear();
	}
}
