import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {
	type Alias,
	type AliasBook,
	aliasNameProblem,
	commandProblem,
	contextNameProblem,
	emptyBook,
	withoutInstance,
} from '../model/alias.ts';
import {DroverError} from '../model/errors.ts';
import {nameProblem} from '../model/names.ts';
import {type Launcher, syncScripts} from './alias-scripts.ts';
import {writeAtomic} from './atomic.ts';
import {takeLock} from './lock.ts';
import {makePrivate, type Paths} from './paths.ts';

/** The user's aliases: `aliases.json` beside the settings, and a script for each below the data. */
export type AliasStore = {
	/** Where the scripts are: with it in `PATH`, aliases can be called by their names alone. */
	readonly scripts: string;
	/** @throws DroverError `setting.invalid` when the file cannot be used */
	read(): Promise<AliasBook>;
	/** Changes them as a whole; what `edit` throws leaves them as they were. @throws DroverError `setting.invalid`, `host.*` */
	change(edit: (book: AliasBook) => AliasBook): Promise<AliasBook>;
};

/** Others change a file of a few KiB meanwhile. */
const lockTimeoutMs = 10_000;
const mostAliases = 10_000;

/** @param launcher what the scripts call; without it none are made, and only those that are no longer wanted removed */
export function aliasStore({config, data}: Pick<Paths, 'config' | 'data'>, launcher?: Launcher): AliasStore {
	const file = path.join(config, 'aliases.json');
	const scripts = path.join(data, 'bin');
	const read = async () => {
		const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT') return undefined;
			throw unusable(file, `it cannot be read (${error.code ?? 'unknown error'})`);
		});
		return text === undefined ? emptyBook : parseBook(text, file);
	};
	return {
		scripts,
		read,
		async change(edit) {
			makePrivate(config);
			const lock = await waitForLock(path.join(config, 'aliases.lock'));
			try {
				const before = await read();
				const after = edit(before);
				if (after === before) return before;
				await writeAtomic(file, `${JSON.stringify({form: 1, ...after}, undefined, '\t')}\n`);
				await syncScripts(scripts, after, launcher);
				return after;
			} finally {
				lock.release();
			}
		},
	};
}

/** After an instance was purged: what leads into it leads nowhere. Touches nothing where there is no such alias. */
export async function forgetInstance(paths: Pick<Paths, 'config' | 'data'>, instance: string): Promise<void> {
	const store = aliasStore(paths);
	if (!(await store.read()).aliases.some(alias => alias.instance === instance)) return;
	await store.change(book => withoutInstance(book, instance));
}

async function waitForLock(file: string) {
	for (const deadline = Date.now() + lockTimeoutMs; ; await sleep(20)) {
		const lock = await takeLock(file);
		if (lock) return lock;
		if (Date.now() > deadline) {
			throw new DroverError('host.failed', 'Another drover is changing the aliases, and does not get on.', {
				next: 'End it, and try again.',
			});
		}
	}
}

/** By hand: the library for it would make every command slower to start. @throws DroverError `setting.invalid` */
function parseBook(text: string, file: string): AliasBook {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		throw unusable(file, 'it is not JSON');
	}
	const wrong = (where: string) => unusable(file, `${where} is not what it should be`);
	const word = (value: unknown, where: string, problem: (text: string) => string | undefined): string => {
		if (typeof value !== 'string' || problem(value) !== undefined) throw wrong(where);
		return value;
	};
	const {form, active, aliases} = fields(json);
	if (form !== 1) throw wrong('form');
	if (!Array.isArray(aliases) || aliases.length > mostAliases) throw wrong('aliases');
	return {
		active: word(active, 'active', contextNameProblem),
		aliases: aliases.map((entry, index): Alias => {
			const at = `aliases.${index}`;
			const {context, name, instance, command, map} = fields(entry);
			if (typeof map !== 'boolean') throw wrong(`${at}.map`);
			return {
				context: word(context, `${at}.context`, contextNameProblem),
				name: word(name, `${at}.name`, aliasNameProblem),
				instance: word(instance, `${at}.instance`, nameProblem),
				command: word(command, `${at}.command`, commandProblem),
				map,
			};
		}),
	};
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function unusable(file: string, why: string): DroverError {
	return new DroverError('setting.invalid', `The aliases in ${file} cannot be used: ${why}.`, {
		next: 'Repair the file, or put it aside and make them again.',
	});
}
