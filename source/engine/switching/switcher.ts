import {availableParallelism} from 'node:os';
import {type DriverName, driverTitles} from '../../model/driver-name.ts';
import {DroverError, type ErrorData, errorData} from '../../model/errors.ts';
import type {OperationView} from '../../model/operation.ts';
import type {SwitchPlan} from '../../model/switch.ts';
import {
	beginStory,
	progressOf,
	recovery,
	type Side,
	type StoryLine,
	type SwitchPhase,
	type SwitchStory,
	withLine,
	withoutRunning,
} from '../../model/switch-story.ts';
import {readStory, writeStory} from '../../state/switch-journal.ts';
import type {SwitchRequest} from '../engine.ts';
import type {Entry} from '../instances.ts';
import type {ItemWork, Operations} from '../operations.ts';
import type {Scene} from '../scene.ts';
import type {Settings} from '../settings/settings-desk.ts';
import {type PlannerParts, planFor} from './switch-planner.ts';
import {eachWithin, parkOne, restoreOne, restsProblem, settleLeft} from './switch-steps.ts';

export type SwitcherParts = PlannerParts & {
	readonly operations: Operations;
	readonly settings: Settings;
	/** Makes a scene the current one; the one before is closed. */
	readonly enter: (scene: Scene) => Promise<void>;
	readonly onStory: (story: SwitchStory) => void;
	readonly now?: () => number;
};

const lenient = new Set<SwitchPhase>(['undo', 'restore', 'done']);

/** Instances parked or brought back at once: most of the time of each is waiting, so more than there are processors. */
const limit = Math.max(8, 2 * availableParallelism());

/** Leaving one driver for another. The story is the journal: each step is on disk before it is begun and after it. */
export class Switcher {
	readonly #parts: SwitcherParts;
	#story: SwitchStory | undefined;
	#isRunning = false;
	/** Journal writes, one after another. */
	#writing: Promise<void> = Promise.resolve();

	constructor(parts: SwitcherParts) {
		this.#parts = parts;
	}

	get isRunning(): boolean {
		return this.#isRunning;
	}

	/** The switch under way, or the last one. */
	get story(): SwitchStory | undefined {
		return this.#story;
	}

	/** Looks at both scopes and says what a switch would do. Touches nothing. */
	plan(to: DriverName): Promise<SwitchPlan> {
		return planFor(this.#parts, to);
	}

	/** @throws DroverError when the plan has a problem or another switch is under way; nothing was touched then */
	async begin({to, by, force = []}: SwitchRequest): Promise<OperationView> {
		this.#claim();
		let plan: SwitchPlan;
		try {
			plan = await this.plan(to);
			const [problem] = plan.problems;
			if (problem) throw DroverError.from(problem);
			await this.#tell(beginStory(plan, newId(), by, this.#now()));
		} catch (error) {
			this.#isRunning = false;
			throw error;
		}
		return this.#operate(by, work => this.#forward(work, new Set(force)));
	}

	/** Whether an instance is in the hands of the switch that was taken up. */
	owns(entry: Entry): boolean {
		const {stored} = entry;
		return this.#isRunning && stored.kind === 'record' && stored.record.parked?.switch === this.#story?.id;
	}

	/**
	 * Takes up a switch that a dead daemon left. Call it once the current scene is open.
	 * @returns a sentence when the journal could not be read
	 */
	async recover(): Promise<string | undefined> {
		const {story, problem} = await readStory(this.#parts.paths);
		this.#story = story;
		if (story === undefined) return problem;
		const what = recovery(story, this.#parts.current().driver.name);
		if (what === 'nothing') return problem;
		this.#claim();
		await this.#tell({...story, wasTakenUp: true});
		this.#operate(story.by, work =>
			what === 'undo'
				? this.#undo(work, {code: 'internal', message: 'drover was ended in the middle of the switch'})
				: this.#restore(work),
		);
		return problem;
	}

	#claim(): void {
		if (this.#isRunning) {
			const story = this.#story;
			throw new DroverError(
				'driver.switching',
				story === undefined
					? 'A switch is under way.'
					: `A switch from ${story.from} to ${story.to}, begun by ${story.by}, is under way.`,
				{next: 'drover switch --last shows how far it is.'},
			);
		}
		this.#isRunning = true;
	}

	#operate(by: string, run: (work: ItemWork) => Promise<void>): OperationView {
		const {from, to} = this.#story!;
		return this.#parts.operations.begin('switch', by, [
			{
				target: `${from} -> ${to}`,
				run: async work => {
					try {
						await run(work);
					} finally {
						this.#isRunning = false;
					}
				},
			},
		]);
	}

	async #forward(work: ItemWork, force: ReadonlySet<string>): Promise<void> {
		const story = this.#story!;
		try {
			await this.#phase('park', work);
			await this.#park(work, force);
			await this.#phase('verify', work);
			await this.#verify();
			await this.#phase('commit', work);
		} catch (error) {
			await this.#undo(work, errorData(error));
			return;
		}
		let scene: Scene;
		try {
			scene = await this.#parts.makeScene(story.to);
			// The one write that decides: before it the way is back, after it the way is on.
			this.#parts.settings.setDriver(story.to);
		} catch (error) {
			await this.#undo(work, errorData(error));
			return;
		}
		await scene.open();
		await this.#parts.enter(scene);
		await this.#restore(work);
		await scene.takeUp();
	}

	async #park(work: ItemWork, force: ReadonlySet<string>): Promise<void> {
		const scene = this.#parts.current();
		const {id, to} = this.#story!;
		const failures: DroverError[] = [];
		await eachWithin(this.#todo('park'), limit, async line => {
			// One that could not be parked ends the switch: what has not been begun is left alone.
			if (failures.length > 0) return;
			await this.#do('park', line, work, async item => {
				const entry = scene.instances.get(line.name);
				const how = line.method === 'suspend' ? 'suspended' : 'stopped';
				const mark = {switch: id, to, how, at: new Date(this.#now()).toISOString()} as const;
				await parkOne(scene, entry, line as StoryLine<'suspend' | 'stop'>, mark, item, force.has(line.name));
			}).catch(error => failures.push(asDroverError(line.name, error)));
		});
		if (failures[0]) throw failures[0];
	}

	async #verify(): Promise<void> {
		const scene = this.#parts.current();
		for (const line of this.#story!.park) {
			if (line.method === 'leave') continue;
			const problem = await restsProblem(scene, scene.instances.get(line.name), line);
			if (problem === undefined) continue;
			await this.#line('park', line.id, {result: 'failed', note: problem});
			throw new DroverError('driver.failed', `${line.name} is not at rest: ${problem}.`);
		}
	}

	async #restore(work: ItemWork): Promise<void> {
		await this.#phase('restore', work);
		const scene = this.#parts.current();
		for (const line of this.#story!.restore) {
			if (line.method === 'leave' && scene.instances.has(line.name)) {
				await settleLeft(scene, scene.instances.get(line.name), line);
			}
		}
		const because = ` after the switch from ${this.#story!.from}`;
		await eachWithin(this.#todo('restore'), limit, async line => {
			await this.#do('restore', line, work, item =>
				restoreOne(scene, scene.instances.get(line.name), item, because),
			).catch(() => {});
		});
		const failed = this.#story!.restore.filter(line => line.result === 'failed');
		const outcome = failed.length === 0 ? 'switched' : 'partly';
		await this.#end(outcome, failed[0]?.error);
		if (failed.length > 0)
			work.note(`${failed.length} could not be brought back: ${failed.map(line => line.name).join(', ')}`);
	}

	/** The old driver stays, and what was parked is brought up again. Ends by throwing the reason. */
	async #undo(work: ItemWork, reason: ErrorData): Promise<void> {
		const story = this.#story!;
		await this.#phase('undo', work);
		const scene = this.#parts.current();
		const marked = scene.instances
			.all()
			.filter(entry => entry.stored.kind === 'record' && entry.stored.record.parked?.switch === story.id);
		await eachWithin(marked, limit, async entry => {
			const line = story.park.find(each => each.id === entry.view.id);
			try {
				await restoreOne(scene, entry, work, ` because the switch to ${story.to} was undone`);
				if (line) await this.#line('park', line.id, {note: 'brought up again'});
			} catch (error) {
				if (line) await this.#line('park', line.id, {note: 'could not be brought up again', error: errorData(error)});
			}
		});
		await this.#end('stayed', reason);
		throw DroverError.from({
			...reason,
			message: `Still on ${driverTitles[story.from]}: ${reason.message}`,
		});
	}

	async #do(side: Side, line: StoryLine, work: ItemWork, run: (item: ItemWork) => Promise<void>): Promise<void> {
		await this.#line(side, line.id, {result: 'running', startedAt: this.#now()});
		const item: ItemWork = {
			...work,
			progress: (stage, percent) => {
				this.#show(withLine(this.#story!, side, line.id, {stage, ...(percent === undefined ? {} : {percent})}));
			},
			log: text => work.log(`${line.name}: ${text}`),
			note: () => {},
		};
		try {
			await run(item);
			await this.#line(side, line.id, {result: 'done', endedAt: this.#now()});
		} catch (error) {
			await this.#line(side, line.id, {result: 'failed', endedAt: this.#now(), error: errorData(error)});
			throw error;
		} finally {
			const {ended, total, percent} = progressOf(this.#story!);
			work.progress(`${this.#story!.phase}: ${ended} of ${total} instances`, percent);
		}
	}

	#todo(side: Side): StoryLine[] {
		return this.#story![side].filter(line => line.method !== 'leave' && line.result !== 'done');
	}

	async #phase(phase: SwitchPhase, work: ItemWork): Promise<void> {
		work.log(phase);
		await this.#tell({...this.#story!, phase});
	}

	async #line(side: Side, id: string, change: Partial<StoryLine>): Promise<void> {
		await this.#tell(withLine(this.#story!, side, id, change));
	}

	async #end(outcome: NonNullable<SwitchStory['outcome']>, reason: ErrorData | undefined): Promise<void> {
		await this.#tell({
			...withoutRunning(this.#story!),
			phase: 'done',
			outcome,
			endedAt: this.#now(),
			...(reason === undefined ? {} : {reason}),
		});
	}

	#show(story: SwitchStory): void {
		this.#story = story;
		this.#parts.onStory(story);
	}

	/** Changes the story; returns when it is on the disk. */
	#tell(story: SwitchStory): Promise<void> {
		this.#show(story);
		const written = this.#writing.then(() => writeStory(this.#parts.paths, this.#story!));
		this.#writing = written.catch(() => {});
		// Once it is decided which way to go, a journal that cannot be written must not keep instances from coming up.
		return lenient.has(story.phase) ? this.#writing : written;
	}

	#now(): number {
		return (this.#parts.now ?? Date.now)();
	}
}

function asDroverError(name: string, error: unknown): DroverError {
	const data = errorData(error);
	return DroverError.from({...data, message: `${name} could not be parked: ${data.message}`});
}

function newId(): string {
	return `${Date.now().toString(36)}-${Math.floor(Math.random() * 2 ** 32).toString(36)}`;
}
