import {Readable, Writable} from 'node:stream';
import type {CommandContext, DirectCommand} from '../../source/commands/command.ts';
import {runCommand} from '../../source/commands/run.ts';
import {keyTable} from '../../source/components/keys/registry.ts';
import type {Engine} from '../../source/engine/engine.ts';
import type {GuestFiles} from '../../source/guest/guest-files.ts';
import {emptyBook} from '../../source/model/alias.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {GuestAccess} from '../../source/model/guest-access.ts';
import type {AliasStore} from '../../source/state/alias-store.ts';
import {FakeEngine} from '../support/fake-engine.ts';

/** A program, or a command in a guest by way of its hypervisor. */
export type Ran = {readonly program: string; readonly argv: readonly string[]; readonly direct?: DirectCommand};

export type Outcome = {
	readonly code: number;
	readonly out: string;
	readonly err: string;
	/** How often the daemon was connected to. */
	readonly connections: number;
	readonly ran: readonly Ran[];
};

export type Setting = {
	readonly engine?: Engine;
	/** No daemon runs; it is started unless that is not wanted. */
	readonly isDaemonAway?: boolean;
	readonly isTTY?: boolean;
	readonly columns?: number;
	readonly stdin?: string;
	readonly cwd?: string;
	readonly env?: NodeJS.ProcessEnv;
	/** The files of a guest; without it they take everything and have nothing. */
	/** Without them there is no alias, and none is kept. */
	readonly aliases?: AliasStore;
	readonly files?: (access: GuestAccess) => GuestFiles;
	/** The exit code of what is run. */
	readonly exit?: number;
	/** Gets what a Ctrl-C would call. */
	readonly interrupt?: (press: () => void) => void;
};

const noAliases: AliasStore = {
	scripts: '/bin-of-drover',
	read: async () => emptyBook,
	change: async edit => edit(emptyBook),
};
const noFiles: GuestFiles = {push: async () => {}, pull: async () => {}, close: async () => {}};

/** Runs one command line in process, against an engine in memory, and gives what came out. */
export async function drover(argv: readonly string[], setting: Setting = {}): Promise<Outcome> {
	const {engine = new FakeEngine(), isTTY = false, columns = 80} = setting;
	let out = '';
	let err = '';
	let connections = 0;
	const ran: Ran[] = [];
	const context: CommandContext = {
		async engine({start = true} = {}) {
			connections++;
			if (setting.isDaemonAway && !start) throw new DroverError('daemon.unreachable', 'No drover daemon is running.');
			return engine;
		},
		async closeEngine() {},
		stdout: {
			write(text) {
				out += text;
			},
			isTTY,
			columns,
		},
		stderr: {
			write(text) {
				err += text;
			},
			isTTY,
			columns,
		},
		stdin: {
			isTTY,
			read: async () => setting.stdin ?? '',
			readLine: async () => setting.stdin?.split('\n')[0],
		},
		env: setting.env ?? {},
		cwd: setting.cwd ?? '/',
		user: 'kim',
		async run(program, programArgv) {
			ran.push({program, argv: programArgv});
			return setting.exit ?? 0;
		},
		async runDirect(direct, options) {
			ran.push({program: `direct ${direct.name}`, argv: [], direct: options});
			return setting.exit ?? 0;
		},
		aliases: async () => setting.aliases ?? noAliases,
		async files(access) {
			return setting.files?.(access) ?? noFiles;
		},
		pipes: {
			stdin: () => Readable.from([setting.stdin ?? '']),
			stdout: () =>
				new Writable({
					write(chunk, _encoding, done) {
						out += String(chunk);
						done();
					},
				}),
		},
		onInterrupt(listener) {
			setting.interrupt?.(listener);
			return () => {};
		},
		keys: async () => keyTable(),
	};
	const code = await runCommand(argv, context);
	return {code, out, err, connections, ran};
}
