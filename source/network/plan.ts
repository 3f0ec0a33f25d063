import * as v from 'valibot';
import {type PrivateNic, privateNicProblem} from '../model/private-network.ts';

/** A machine that is to be on the private network. */
export type PlannedPort = PrivateNic & {
	readonly id: string;
	/** The socket on which its QEMU listens. */
	readonly socket: string;
};

/** All that the process which serves a private network is to know; a new one replaces the one before. */
export type NetworkPlan = {
	readonly version: string;
	readonly ports: readonly PlannedPort[];
	/** Instances of the scope, running or not, by name. */
	readonly names: Readonly<Record<string, string>>;
};

/** How it stands with a machine. */
export type PortReport = {readonly id: string; readonly isConnected: boolean; readonly problem?: string};

/** Raised when the two sides would not understand each other: after an upgrade one may be older. */
export const planVersion = '1';

const text = v.pipe(v.string(), v.maxLength(4096));
const plan = v.object({
	version: v.literal(planVersion),
	ports: v.array(
		v.pipe(
			v.object({id: text, socket: text, mac: text, address: text, prefix: v.number()}),
			v.check(port => privateNicProblem(port) === undefined),
		),
	),
	names: v.record(text, text),
});

const report = v.object({id: text, isConnected: v.boolean(), problem: v.exactOptional(text)});

/** @returns `undefined` when it is not understood */
export function readPlan(line: string): NetworkPlan | undefined {
	return read(plan, line);
}

export function readPortReport(line: string): PortReport | undefined {
	return read(report, line);
}

function read<Output>(schema: v.GenericSchema<unknown, Output>, line: string): Output | undefined {
	try {
		const result = v.safeParse(schema, JSON.parse(line));
		return result.success ? result.output : undefined;
	} catch {
		return undefined;
	}
}
