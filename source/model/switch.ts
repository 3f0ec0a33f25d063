import type {DriverName} from './driver-name.ts';
import type {ErrorData} from './errors.ts';
import type {RestorePolicy} from './instance.ts';
import {formatSize} from './sizes.ts';
import type {InstanceState} from './state.ts';

/** What a switch does to one instance when its scope is left. */
export type ParkMethod = 'suspend' | 'stop' | 'leave';
/** What a switch does to one instance when its scope is entered. */
export type RestoreMethod = 'resume' | 'start' | 'leave';

export type PlanLine<Method extends string> = {
	readonly id: string;
	readonly name: string;
	/** What it is now (park) or was when the scope was left (restore). */
	readonly was: InstanceState;
	readonly method: Method;
	/** Bytes a saved memory image takes, at most (park), or has (restore). */
	readonly bytes?: number;
	/** Its memory is lost: it boots fresh when it comes back. */
	readonly losesMemory?: boolean;
	/** Anything else worth knowing about this line. */
	readonly note?: string;
};

/** What will be done, before anything is. */
export type SwitchPlan = {
	readonly from: DriverName;
	readonly to: DriverName;
	/** Both drivers work in one scope: the instances stay, and run under the other driver. */
	readonly isShared: boolean;
	readonly park: ReadonlyArray<PlanLine<ParkMethod>>;
	readonly restore: ReadonlyArray<PlanLine<RestoreMethod>>;
	/** Bytes of disk that the memory images can take, and that are free. */
	readonly needsBytes: number;
	readonly freeBytes: number;
	/** Names of running instances whose memory is lost. */
	readonly losesMemory: readonly string[];
	/** Sentences to read before saying yes. */
	readonly warnings: readonly string[];
	/** Why it cannot be done; nothing is touched while there is one. */
	readonly problems: readonly ErrorData[];
};

/** An instance as the planner needs to know it. */
export type Member = {
	readonly id: string;
	readonly name: string;
	readonly state: InstanceState;
	/** Bytes. */
	readonly memory: number;
	/** It ran when its scope was last left by a switch. */
	readonly wasRunning: boolean;
	/** Bytes of its saved memory, when there is one. */
	readonly savedBytes?: number;
	readonly policy: RestorePolicy;
	/** Why the driver that is entered cannot load its saved memory. */
	readonly cannotLoad?: string;
	/** The operation at work on it. */
	readonly busyWith?: string;
};

export type PlanInput = {
	readonly from: DriverName;
	readonly to: DriverName;
	readonly isShared: boolean;
	readonly canSuspend: boolean;
	/** Titles for sentences: `QEMU`, `LXD`. */
	readonly fromTitle: string;
	readonly toTitle: string;
	readonly leaving: readonly Member[];
	/** Of a scope of its own; empty where the scope is shared. */
	readonly entering: readonly Member[];
	readonly freeBytes: number;
	/** Why the driver that is left cannot be used: what it runs cannot be reached, and is left as it is. */
	readonly leavingProblem?: string;
	/** Why the target cannot be used. */
	readonly targetProblem?: ErrorData;
	/** Bytes of memory the host can give. */
	readonly hostMemory: number;
};

const runs = new Set<InstanceState>(['Running', 'Delayed Shutdown', 'Unknown']);

/** The plan is a pure function: the same scopes give the same plan. */
export function planSwitch(input: PlanInput): SwitchPlan {
	const park = input.leaving.map(member => parkLine(member, input));
	const restore = input.isShared
		? restoreShared(input.leaving, park)
		: input.entering.map(member => restoreLine(member, input));
	const needsBytes = sum(park.map(line => (line.method === 'suspend' ? (line.bytes ?? 0) : 0)));
	const losesMemory = park.filter(line => line.losesMemory).map(line => line.name);
	const {from, to, isShared, freeBytes} = input;
	return {
		from,
		to,
		isShared,
		park,
		restore,
		needsBytes,
		freeBytes,
		losesMemory,
		warnings: warningsOf(input, park, restore, losesMemory),
		problems: problemsOf(input, needsBytes),
	};
}

function parkLine(member: Member, input: PlanInput): PlanLine<ParkMethod> {
	const {id, name, state: was, memory} = member;
	if (!runs.has(was)) {
		return {id, name, was, method: 'leave', ...(was === 'Broken' ? {note: 'cannot be read; left as it is'} : {})};
	}
	if (was === 'Unknown' && input.leavingProblem !== undefined) {
		return {id, name, was, method: 'leave', note: `cannot be reached, left as it is: ${input.leavingProblem}`};
	}
	if (input.canSuspend) return {id, name, was, method: 'suspend', bytes: memory};
	return {id, name, was, method: 'stop', losesMemory: true};
}

/** In a shared scope what was suspended a moment ago goes on under the other driver; everything else stays as it is. */
function restoreShared(
	members: readonly Member[],
	park: ReadonlyArray<PlanLine<ParkMethod>>,
): Array<PlanLine<RestoreMethod>> {
	return park.map((line, index) => {
		const member = members[index]!;
		const {id, name, was} = line;
		if (line.method === 'leave') {
			const note = was === 'Suspended' && member.cannotLoad !== undefined ? {note: member.cannotLoad} : {};
			return {id, name, was, method: 'leave', ...note};
		}
		if (member.policy === 'never') return {id, name, was, method: 'leave', note: 'its restore policy is never'};
		if (line.method === 'stop') return {id, name, was, method: 'start'};
		if (member.policy === 'suspended')
			return {id, name, was, method: 'leave', note: 'stays suspended by its restore policy'};
		return {id, name, was, method: 'resume', ...(line.bytes === undefined ? {} : {bytes: line.bytes})};
	});
}

function restoreLine(member: Member, input: PlanInput): PlanLine<RestoreMethod> {
	const {id, name, policy, savedBytes} = member;
	const was: InstanceState = member.wasRunning ? 'Running' : member.state;
	const leave = (note?: string): PlanLine<RestoreMethod> => ({
		id,
		name,
		was,
		method: 'leave',
		...(note === undefined ? {} : {note}),
	});
	if (member.state === 'Deleted' || member.state === 'Broken') return leave();
	if (runs.has(member.state)) return leave('is running already');
	const isSaved = member.state === 'Suspended';
	if (policy === 'never') return leave(member.wasRunning ? 'its restore policy is never' : undefined);
	if (policy === 'suspended' && isSaved)
		return leave(member.wasRunning ? 'stays suspended by its restore policy' : undefined);
	if (!member.wasRunning && policy !== 'always') return leave();
	if (!isSaved) return {id, name, was, method: 'start'};
	return {
		id,
		name,
		was,
		method: 'resume',
		...(savedBytes === undefined ? {} : {bytes: savedBytes}),
		...(member.cannotLoad === undefined ? {} : {note: `may not load in ${input.toTitle}: ${member.cannotLoad}`}),
	};
}

function warningsOf(
	input: PlanInput,
	park: ReadonlyArray<PlanLine<ParkMethod>>,
	restore: ReadonlyArray<PlanLine<RestoreMethod>>,
	losesMemory: readonly string[],
): string[] {
	const warnings: string[] = [];
	if (losesMemory.length > 0) {
		const count = `${losesMemory.length} running instance${losesMemory.length === 1 ? '' : 's'}`;
		warnings.push(
			`${input.fromTitle} cannot suspend: ${count} shut down and boot fresh when you come back; unsaved memory is lost.`,
		);
	}
	const left = park.filter(line => line.method === 'leave' && line.note?.startsWith('cannot be reached'));
	if (left.length > 0) {
		warnings.push(
			`${input.fromTitle} cannot be used (${input.leavingProblem}): ${left.map(line => line.name).join(', ')} ${left.length === 1 ? 'is' : 'are'} left as ${left.length === 1 ? 'it is' : 'they are'}, and may run on.`,
		);
	}
	for (const line of restore) if (line.note?.startsWith('may not load')) warnings.push(`${line.name}: ${line.note}.`);
	const byId = new Map([...input.entering, ...input.leaving].map(member => [member.id, member]));
	const memory = sum(restore.filter(line => line.method !== 'leave').map(line => byId.get(line.id)?.memory ?? 0));
	const freed = sum(park.filter(line => line.method !== 'leave').map(line => byId.get(line.id)?.memory ?? 0));
	if (memory > input.hostMemory + freed) {
		warnings.push(
			`What is restored can use ${formatSize(memory)} of memory, and the host has ${formatSize(input.hostMemory + freed)} to give.`,
		);
	}
	return warnings;
}

function problemsOf(input: PlanInput, needsBytes: number): ErrorData[] {
	const problems: ErrorData[] = [];
	if (input.targetProblem) problems.push(input.targetProblem);
	const busy = input.leaving.filter(member => member.busyWith !== undefined);
	if (busy.length > 0) {
		problems.push({
			code: 'instance.busy',
			message: `Work is under way: ${busy.map(member => `${member.busyWith} ${member.name}`).join(', ')}.`,
			next: 'Wait until it has ended, or cancel it; then switch.',
		});
	}
	if (needsBytes > input.freeBytes) {
		problems.push({
			code: 'host.disk-full',
			message: `The saved memory of what runs can take ${formatSize(needsBytes)}, and ${formatSize(input.freeBytes)} of disk are free.`,
			next: 'Free some disk space, or stop instances whose memory need not be kept.',
		});
	}
	return problems;
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, each) => total + each, 0);
}
