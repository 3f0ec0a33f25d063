import {type Forward, isSameForward} from '../../model/forward.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {ForwardFailure} from '../driver.ts';
import {forwardNote} from '../forward-words.ts';
import {hostPortProblem} from '../host-port.ts';
import {findMachine, type Job, type Machine} from './context.ts';
import {ManageError} from './manage.ts';
import {isOnline} from './states.ts';

/** A rule of the machine's first network card, which VirtualBox translates addresses for. */
export type Rule = Forward & {readonly name: string};

/** The rule that leads to the guest's SSH server. */
export const sshRule = 'drover-ssh';

/** Rules of drover's among those in `Forwarding(0)="ssh,tcp,127.0.0.1,2222,,22"`; others are somebody else's. */
export function parseRules(info: ReadonlyMap<string, string>): Rule[] {
	return [...info].flatMap(([key, value]) => {
		if (!/^Forwarding\(\d+\)$/.test(key)) return [];
		const match = /^(drover-[\w-]{1,60}),(tcp|udp),([\d.]*),(\d{1,5}),[\d.]*,(\d{1,5})$/.exec(value);
		if (!match) return [];
		const [, name = '', protocol, address = '', host, guest] = match;
		return [
			{
				name,
				protocol: protocol as Forward['protocol'],
				address: address === '' ? '0.0.0.0' : address,
				host: Number(host),
				guest: Number(guest),
			},
		];
	});
}

export function ruleOf(forward: Forward): Rule {
	return {...forward, name: `drover-${forward.protocol}-${forward.host}`};
}

export function ruleText({name, protocol, address, host, guest}: Rule): string {
	return [name, protocol, address === '0.0.0.0' ? '' : address, host, '', guest].join(',');
}

export type RulePlan = {readonly remove: readonly Rule[]; readonly add: readonly Rule[]};

/** What makes the rules there are those that are wanted. */
export function planRules(present: readonly Rule[], wanted: readonly Rule[]): RulePlan {
	const isAmong = (rule: Rule, rules: readonly Rule[]) =>
		rules.some(each => each.name === rule.name && isSameForward(each, rule));
	return {
		remove: present.filter(rule => !isAmong(rule, wanted)),
		add: wanted.filter(rule => !isAmong(rule, present)),
	};
}

/** The arguments that say it to a machine. At rest all goes into one command, and a machine that runs takes one at a time. */
export function ruleCommands(id: string, isRunning: boolean, {remove, add}: RulePlan): string[][] {
	const words = [...remove.map(({name}) => ['delete', name]), ...add.map(rule => [ruleText(rule)])];
	if (words.length === 0) return [];
	if (isRunning) return words.map(each => ['controlvm', id, 'natpf1', ...each]);
	return [['modifyvm', id, ...words.flatMap(each => ['--natpf1', ...each])]];
}

async function say({manage, record}: Job, isRunning: boolean, plan: RulePlan): Promise<void> {
	for (const args of ruleCommands(record.id, isRunning, plan)) await manage.work(args);
}

/**
 * Before a start: SSH's rule leads through this port, and those are taken away whose port another program has by now.
 * VirtualBox starts a machine all the same and says nowhere but in its log that a port is not forwarded.
 */
export async function rulesBeforeStart(job: Job, machine: Machine, port: number): Promise<void> {
	const present = parseRules(machine.info);
	const ssh: Rule = {name: sshRule, protocol: 'tcp', address: '127.0.0.1', host: port, guest: 22};
	const kept: Rule[] = [ssh];
	for (const rule of (job.record.forwards ?? []).map(ruleOf)) {
		const isThere = present.some(each => each.name === rule.name && isSameForward(each, rule));
		if (isThere && (await hostPortProblem(rule)) === undefined) kept.push(rule);
	}
	try {
		await say(job, false, planRules(present, kept));
	} catch (error) {
		// Another daemon has changed them in the same moment: what there is has to be looked at again.
		if (error instanceof ManageError && error.problem === 'refused') throw new ManageError('locked', error.message);
		throw error;
	}
}

/** Makes the forwards of a machine that runs those of its record; one at rest gets them at its start. */
export async function forwards(job: Job): Promise<readonly ForwardFailure[]> {
	const machine = await findMachine(job);
	if (machine === undefined || !isOnline(machine.state)) return [];
	const present = parseRules(machine.info);
	const wanted = (job.record.forwards ?? []).map(ruleOf);
	const {remove, add} = planRules(
		present.filter(({name}) => name !== sshRule),
		wanted,
	);
	await say(job, true, {remove, add: []});
	const failures: ForwardFailure[] = [];
	for (const rule of add) {
		const {name: _name, ...forward} = rule;
		const reason = (await hostPortProblem(forward)) ?? (await tryAdd(job, rule));
		if (reason !== undefined) failures.push({forward, reason});
	}
	return failures;
}

async function tryAdd(job: Job, rule: Rule): Promise<string | undefined> {
	try {
		await say(job, true, {remove: [], add: [rule]});
		return undefined;
	} catch (error) {
		if (!(error instanceof ManageError) || error.problem !== 'refused') throw error;
		return error.message;
	}
}

/** Sentences about those of an instance that runs which are not in force. */
export function forwardNotes(record: InstanceRecord, machine: Machine): string[] {
	const present = parseRules(machine.info);
	return (record.forwards ?? [])
		.filter(forward => !present.some(rule => rule.name !== sshRule && isSameForward(rule, forward)))
		.map(forwardNote);
}
