import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {render} from 'ink';
import type {Connection} from '../engine/engine.ts';
import {errorData} from '../model/errors.ts';
import {canBeStopped} from '../platform/signals.ts';
import {thisSystem} from '../platform/system.ts';
import {Dashboard} from './dashboard.tsx';
import {Effects} from './effects.ts';
import {EngineLink} from './engine-link.ts';
import type {LaunchMemory} from './launch-asks.ts';
import {openShell} from './shell.ts';
import type {Effect, Message, Model} from './store/model.ts';
import {Store} from './store/store.ts';
import {initialModel, update} from './store/update.ts';
import {clipboardBytes} from './terminal/clipboard.ts';
import {type Ending, onEndings} from './terminal/endings.ts';
import {terminalTraits} from './terminal/environment.ts';
import {HandOver} from './terminal/hand-over.ts';
import {escapeWait, Keyboard, type TerminalInput} from './terminal/keyboard.ts';
import {ScreenOutput, type TerminalStream} from './terminal/screen-output.ts';

export type DashboardOptions = {
	readonly connect: () => Promise<Connection>;
	/** Who asks, for the records. */
	readonly user: string;
	/** What was filled into the launch form last. */
	readonly memory?: LaunchMemory;
	readonly stdin?: TerminalInput;
	readonly stdout?: TerminalStream;
	readonly env?: NodeJS.ProcessEnv;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	/** The least time between two frames, milliseconds. */
	readonly frameMs?: number;
};

/** After the end was asked for, this process is gone at the latest so many milliseconds later, whatever hangs. */
const patienceMs = 800;

/**
 * The dashboard, from its first frame to the restored terminal. The caller has made sure that both streams are a
 * terminal that can be drawn on.
 * @returns the exit code: 0, 1 after an error of drover's own, 128 and the signal's number
 */
export async function runDashboard(options: DashboardOptions): Promise<number> {
	const {env = process.env, now = Date.now, user, connect} = options;
	const stdin = options.stdin ?? process.stdin;
	const stdout = options.stdout ?? (process.stdout as TerminalStream);
	const traits = terminalTraits(env, thisSystem().platform);
	const ended = Promise.withResolvers<Ending>();
	const gone = () => {
		ended.resolve({code: 129});
	};
	stdout.on('error', gone);
	const screen = new ScreenOutput(stdout, {
		sync: traits.sync,
		...(options.frameMs === undefined ? {} : {frameMs: options.frameMs}),
	});
	const keyboard = new Keyboard(stdin, {waitMs: escapeWait(env), onGone: gone});
	const handOver = new HandOver(keyboard, () => {
		// Who is stopped is not told of a new size; on this Node asks the terminal, and tells only if there is one.
		process.emit('SIGWINCH', 'SIGWINCH');
	});
	const stopListening = onEndings(ended.resolve, () => handOver.isLent);

	const size = {columns: screen.columns, rows: screen.rows};
	let effects: Effects | undefined;
	const store = new Store<Model, Message, Effect>(initialModel({size, user}), update, effect => {
		effects?.run(effect);
	});
	const link = new EngineLink({connect, dispatch: store.dispatch, model: store.get, now});
	const stop = stopper(handOver, store.dispatch);
	effects = new Effects({
		link,
		dispatch: store.dispatch,
		model: store.get,
		now,
		user,
		memory: options.memory,
		terminal: {
			copy: text => {
				screen.send(clipboardBytes(text, traits.isScreen));
			},
			redraw: () => {
				screen.repaint();
			},
			stop: () => void stop.now(),
			shell: name => {
				void openShell(name, {
					engine: () => link.engine,
					run: (command, args, banner) => handOver.run(command, args, banner),
					dispatch: store.dispatch,
					now,
				});
			},
			quit: () => {
				ended.resolve({code: 0});
			},
			isLent: () => handOver.isLent,
		},
	});
	// Before Ink's own listener, so that a frame of the new size is drawn at once.
	screen.on('resize', () => {
		store.dispatch({type: 'resize', columns: screen.columns, rows: screen.rows});
	});
	// Begun before the first frame is drawn, which takes longer than the daemon needs to answer.
	const running = link.run();
	const app = render(<Dashboard store={store} traits={traits} now={now} onReady={handOver.ready} />, {
		stdout: screen as unknown as NodeJS.WriteStream,
		stdin: keyboard as unknown as NodeJS.ReadStream,
		// Each frame comes whole and unthrottled to the screen, which compares and paces it.
		debug: true,
		alternateScreen: true,
		interactive: true,
		exitOnCtrlC: false,
		patchConsole: false,
	});
	// An error while drawing ends the app with a rejection.
	app.waitUntilExit().then(
		() => {
			ended.resolve({code: 0});
		},
		(error: unknown) => {
			ended.resolve({code: 1, error});
		},
	);
	stop.listen();

	const {code, error} = await ended.promise;
	if (stdin === process.stdin) setTimeout(() => process.exit(code), patienceMs).unref();
	stop.close();
	handOver.endChild();
	effects.close();
	app.unmount();
	await Promise.race([app.waitUntilExit().catch(() => {}), sleep(200)]);
	await Promise.race([Promise.all([link.close(), running]), sleep(200)]);
	keyboard.setRawMode(false);
	keyboard.close();
	await drained(stdout);
	screen.close();
	stopListening();
	if (error !== undefined) process.stderr.write(crashText(error));
	return code;
}

function crashText(error: unknown): string {
	const {message, next} = errorData(error);
	const stack = error instanceof Error && process.env['DROVER_DEBUG'] ? `${error.stack ?? ''}\n` : '';
	return `drover: ${message}\n${next ?? 'The instances are not touched by this: drover list shows them.'}\n${stack}`;
}

/** Waits, a little, until the terminal has taken what restores it. */
async function drained(stdout: TerminalStream): Promise<void> {
	for (let wait = 0; wait < 20 && (stdout.writableLength ?? 0) > 0 && !stdout.destroyed; wait++) await sleep(15);
}

/** Ctrl-Z, and being stopped and continued from outside. */
function stopper(handOver: HandOver, dispatch: (message: Message) => void) {
	const onStop = () => {
		void now();
	};
	const onContinue = () => {
		// Continued after a stop that we did not see coming: the shell has set the terminal back meanwhile.
		if (!handOver.isLent) void handOver.renew();
	};
	const listen = () => {
		process.on('SIGTSTP', onStop);
		process.on('SIGCONT', onContinue);
	};
	const close = () => {
		process.off('SIGTSTP', onStop);
		process.off('SIGCONT', onContinue);
	};
	async function now(): Promise<void> {
		if (!canBeStopped(thisSystem().platform)) {
			dispatch({type: 'toast', text: 'Windows has no stopping of programs: q quits.', level: 'info'});
			return;
		}
		if (!(await handOver.idle())) return;
		const wasStopped = await handOver.stop(() => {
			// Without our listener the signal does what it does to every program.
			process.off('SIGTSTP', onStop);
			process.kill(0, 'SIGTSTP');
		});
		process.off('SIGTSTP', onStop);
		process.on('SIGTSTP', onStop);
		if (!wasStopped) dispatch({type: 'toast', text: 'There is no shell to go back to: q quits.', level: 'info'});
	}
	return {now, listen, close};
}
