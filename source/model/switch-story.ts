import type {DriverName} from './driver-name.ts';
import type {ErrorData} from './errors.ts';
import type {InstanceState} from './state.ts';
import type {ParkMethod, RestoreMethod, SwitchPlan} from './switch.ts';

/** `undo` brings the old scope up again; everything before `restore` can still go there, nothing after it does. */
export const switchPhases = ['check', 'park', 'verify', 'commit', 'restore', 'undo', 'done'] as const;
export type SwitchPhase = (typeof switchPhases)[number];

export type StoryLine<Method extends string = ParkMethod | RestoreMethod> = {
	readonly id: string;
	readonly name: string;
	readonly was: InstanceState;
	readonly method: Method;
	readonly result: 'pending' | 'running' | 'done' | 'failed';
	readonly stage?: string;
	readonly percent?: number;
	readonly bytes?: number;
	/** Milliseconds since the epoch. */
	readonly startedAt?: number;
	readonly endedAt?: number;
	readonly note?: string;
	readonly error?: ErrorData;
};

/**
 * A switch as it happened. The same thing is the journal that a crash is recovered from and the story a person is told,
 * so that the two can never disagree.
 */
export type SwitchStory = {
	readonly schema: 1;
	readonly id: string;
	readonly from: DriverName;
	readonly to: DriverName;
	readonly isShared: boolean;
	/** The host user who asked for it. */
	readonly by: string;
	/** Milliseconds since the epoch. */
	readonly startedAt: number;
	readonly endedAt?: number;
	readonly phase: SwitchPhase;
	/** `stayed`: the old driver was kept. `partly`: switched, and some instances stay parked with their reasons. */
	readonly outcome?: 'switched' | 'partly' | 'stayed';
	/** Why it stayed, or what went wrong. */
	readonly reason?: ErrorData;
	/** A daemon died in it, and another took it up. */
	readonly wasTakenUp?: boolean;
	readonly park: ReadonlyArray<StoryLine<ParkMethod>>;
	readonly restore: ReadonlyArray<StoryLine<RestoreMethod>>;
};

/** The beginning of a story: nothing has been done yet. */
export function beginStory(plan: SwitchPlan, id: string, by: string, now: number): SwitchStory {
	const line = <Method extends string>(each: {
		id: string;
		name: string;
		was: InstanceState;
		method: Method;
		bytes?: number;
		note?: string;
	}): StoryLine<Method> => ({
		id: each.id,
		name: each.name,
		was: each.was,
		method: each.method,
		result: each.method === 'leave' ? 'done' : 'pending',
		...(each.bytes === undefined ? {} : {bytes: each.bytes}),
		...(each.note === undefined ? {} : {note: each.note}),
	});
	return {
		schema: 1,
		id,
		from: plan.from,
		to: plan.to,
		isShared: plan.isShared,
		by,
		startedAt: now,
		phase: 'check',
		park: plan.park.map(line),
		restore: plan.restore.map(line),
	};
}

/**
 * What to do about a story that a dead daemon left, given the driver that the settings name: the one atomic write of
 * the setting is the moment at which going back turns into going on.
 */
export function recovery(story: SwitchStory, current: DriverName): 'nothing' | 'undo' | 'restore' {
	switch (story.phase) {
		case 'done':
			return 'nothing';
		case 'restore':
			return 'restore';
		case 'commit':
			return current === story.to ? 'restore' : 'undo';
		default:
			return 'undo';
	}
}

export type Side = 'park' | 'restore';

/** The story with one line changed. */
export function withLine(story: SwitchStory, side: Side, id: string, change: Partial<StoryLine>): SwitchStory {
	const lines = story[side].map(line => (line.id === id ? {...line, ...change} : line));
	return {...story, [side]: lines} as SwitchStory;
}

/** Of a switch that has ended nothing is under way any more: what a dead daemon was at has been cut short. */
export function withoutRunning(story: SwitchStory): SwitchStory {
	const settle = <Method extends string>(line: StoryLine<Method>): StoryLine<Method> => {
		if (line.result !== 'running') return line;
		const {stage: _stage, percent: _percent, ...rest} = line;
		return {...rest, result: 'failed', note: ['cut short', line.note].filter(Boolean).join('; ')};
	};
	return {...story, park: story.park.map(settle), restore: story.restore.map(settle)};
}

/** How far it is, 0 to 100: lines that have ended out of those that have something to do. Never goes backwards. */
export function progressOf(story: SwitchStory): {ended: number; total: number; percent: number} {
	const lines = [...story.park, ...story.restore].filter(line => line.method !== 'leave');
	const ended = lines.filter(line => line.result === 'done' || line.result === 'failed').length;
	return {ended, total: lines.length, percent: lines.length === 0 ? 100 : Math.floor((ended * 100) / lines.length)};
}
