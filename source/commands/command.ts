import type {Engine} from '../engine/engine.ts';
import type {GuestFiles} from '../guest/guest-files.ts';
import type {DirectAccess, GuestAccess} from '../model/guest-access.ts';
import type {AliasStore} from '../state/alias-store.ts';

/** Where text goes: a terminal, a pipe, a test's buffer. */
export type Output = {
	write(text: string): unknown;
	readonly isTTY: boolean;
	/** Columns of the terminal, when it is one. */
	readonly columns?: number | undefined;
};

export type Input = {
	readonly isTTY: boolean;
	/** All of it as text. @throws DroverError `usage.invalid` when it is longer than `limit` bytes */
	read(limit: number): Promise<string>;
	/** One line, without its end; `undefined` when there is none. */
	readLine(): Promise<string | undefined>;
};

/** All that a command has of the outside, so that tests can run it in process. */
export type CommandContext = {
	/**
	 * The engine, connected to at the first call. With `start: false` the daemon is not started when there is none; the
	 * call then rejects with `daemon.unreachable`.
	 */
	engine(options?: {start?: boolean}): Promise<Engine>;
	/** Ends the connection, if there is one. The next `engine()` connects anew. */
	closeEngine(): Promise<void>;
	readonly stdout: Output;
	readonly stderr: Output;
	readonly stdin: Input;
	readonly env: NodeJS.ProcessEnv;
	readonly cwd: string;
	/** The host user who asks. */
	readonly user: string;
	/** Runs a program on the same terminal and resolves to its exit code (128 + n when signal n ended it). */
	run(program: string, argv: readonly string[]): Promise<number>;
	/** The same in a guest, by way of its hypervisor and without SSH. */
	runDirect(direct: DirectAccess, options: DirectCommand): Promise<number>;
	/** The files of a guest, by the way that leads into it; whoever asks closes them. @throws DroverError */
	files(access: GuestAccess): Promise<GuestFiles>;
	/** The user's own names for commands in instances. */
	aliases(): Promise<AliasStore>;
	/** What comes in and goes out as bytes. */
	readonly pipes: {stdin(): NodeJS.ReadableStream; stdout(): NodeJS.WritableStream};
	/** Calls `listener` on Ctrl-C instead of ending the process, until the returned function is called. */
	onInterrupt(listener: () => void): () => void;
	/** The keys of the dashboard. */
	keys(): Promise<readonly KeyLine[]>;
};

export type DirectCommand = {
	/** Each reaches the guest's program as it is. None: a login shell. */
	readonly command?: readonly string[];
	/** Absolute, or relative to the user's home. */
	readonly workingDirectory?: string;
	/** Whether the guest gives a terminal. */
	readonly tty: boolean;
};

export type KeyLine = {
	readonly id: string;
	readonly keys: readonly string[];
	readonly title: string;
	/** The screens on which it is understood. */
	readonly where: readonly string[];
};

export type OptionSpec = {
	readonly long: string;
	readonly short?: string;
	/** What the value is called in help, with its brackets: `<name>`. Without it the option takes no value. */
	readonly value?: string;
	readonly repeatable?: boolean;
	/** Understood, but not shown in help. */
	readonly hidden?: boolean;
	readonly help: string;
};

export type ArgumentSpec = {readonly name: string; readonly help: string};

/** One line of the table that parsing and help are made from. */
export type CommandSpec = {
	readonly name: string;
	readonly aliases?: readonly string[];
	/** What follows the name in `Usage:`. */
	readonly usage: string;
	/** One line for the general help. */
	readonly summary: string;
	/** For the command's own help; the summary when absent. */
	readonly description?: string;
	readonly options?: readonly OptionSpec[];
	readonly arguments?: readonly ArgumentSpec[];
	/** Not shown in the general help. */
	readonly hidden?: boolean;
	/** What an unknown option most likely means, instead of the usual sentence. */
	readonly unknownOption?: string;
};

/** Returns the exit code. Refusals are thrown as `DroverError`. */
export type CommandRun = (args: CommandArguments, context: CommandContext) => Promise<number>;

export type CommandArguments = {
	readonly positionals: readonly string[];
	has(long: string): boolean;
	/** The last value given. */
	value(long: string): string | undefined;
	values(long: string): readonly string[];
	/** How often `-v` was given. */
	readonly verbosity: number;
};

/** A command that ends with an exit code of its own, and with a line on stderr that stands for itself. */
export class EarlyExit extends Error {
	override readonly name = 'EarlyExit';
	readonly code: number;

	constructor(code: number, line: string) {
		super(line);
		this.code = code;
	}
}
