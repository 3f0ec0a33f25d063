import type {ClassicInput, OpenClassic} from '../../source/guest/mount/classic.ts';
import type {MountSession} from '../../source/guest/mount/session.ts';
import {DroverError} from '../../source/model/errors.ts';

/** A mount over SSH that only seems to be one. */
export class SimulatedSession implements MountSession {
	readonly input: ClassicInput;
	readonly ended: Promise<DroverError>;
	/** How it ended, when drover did it. */
	how: 'alive' | 'ended' | 'killed' | 'lost' = 'alive';
	problem: string | undefined;
	#end!: (why: DroverError) => void;

	constructor(input: ClassicInput) {
		this.input = input;
		this.ended = new Promise(resolve => {
			this.#end = resolve;
		});
	}

	/** The connection drops, or sshfs dies. */
	lose(message = 'the connection was lost') {
		this.how = 'lost';
		this.#end(new DroverError('guest.unanswered', message));
	}

	/** Something about the directory on this host. */
	trouble(problem: string | undefined) {
		this.problem = problem;
		this.input.onProblem(problem);
	}

	async end() {
		if (this.how !== 'alive') return;
		this.how = 'ended';
		this.#end(new DroverError('operation.cancelled', 'ended'));
	}

	kill() {
		if (this.how !== 'alive') return;
		this.how = 'killed';
		this.#end(new DroverError('operation.cancelled', 'killed'));
	}
}

/** Guests that can be mounted into over SSH, without any. */
export class SimulatedMounts {
	readonly sessions: SimulatedSession[] = [];
	/** Awaited before each mount; lets a test fail, delay or hang it. */
	before: (input: ClassicInput) => void | Promise<void> = () => {};

	readonly open: OpenClassic = async input => {
		const hook = this.before(input);
		if (hook !== undefined) {
			await Promise.race([
				hook,
				new Promise<never>((_, reject) => {
					input.signal.addEventListener('abort', () => reject(input.signal.reason), {once: true});
				}),
			]);
		}
		input.signal.throwIfAborted();
		const session = new SimulatedSession(input);
		this.sessions.push(session);
		return session;
	};

	/** What guests see now: source and target. */
	get alive(): string[] {
		return this.sessions
			.filter(session => session.how === 'alive')
			.map(({input: {mount}}) => `${mount.source} ${mount.target}`);
	}
}
