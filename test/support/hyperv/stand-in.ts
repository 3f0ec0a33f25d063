#!/usr/bin/env node
/**
 * Stands in for a PowerShell with drover's script in it: it speaks the same lines, with its state in a directory and with
 * what can go wrong on the way. It says nothing about Hyper-V itself.
 *
 * `stand-in.ts STATE -File SCRIPT`
 */
import process from 'node:process';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import {Failure, perform} from './operations.ts';
import {State, stateOf} from './state.ts';

const state = new State(process.argv[2]!);
const {encoding = 'utf-8', hasBom, hasCrlf, banner, refusal, startDelayMs, protocol = 1, ...how} = state.behaviour;
const nodeEncoding = encoding === 'utf-8' ? 'utf8' : 'utf16le';

function print(text: string): void {
	process.stdout.write(Buffer.from(text, nodeEncoding));
}

function send(value: unknown): void {
	const json = JSON.stringify(value).replace(
		/[^\x20-\x7e]/g,
		unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
	);
	print(`${json}${hasCrlf ? '\r\n' : '\n'}`);
}

function die(): never {
	process.kill(process.pid, 'SIGKILL');
	for (;;);
}

async function answer(line: string): Promise<void> {
	const {id, op, args} = JSON.parse(line) as {id: number; op: string; args: Record<string, unknown>};
	state.countRequest(op);
	const fault = state.takeFault(op);
	if (fault?.kind !== 'silent') send({event: 'begun', id});
	switch (fault?.kind) {
		case 'crash':
			return die();
		case 'silent':
			await sleep(fault.ms ?? 0);
			return;
		case 'nonsense':
			return send({id, ok: true, result: {what: 'is this'}});
		case 'delay':
			await sleep(fault.ms ?? 500);
			break;
		case 'noise':
			print('WARNUNG: Etwas ist pass\u00eft\n{"event":"chan');
			print('ged\n{"id":99999,"ok":true,"result":null}\n[1,2]\n\u0000\u0007\n');
			break;
		case 'error':
			return send({id, ok: false, error: fault.error});
	}
	try {
		const result = await perform(state, op, args, () => {
			if (fault?.kind === 'crash-between') die();
		});
		if (fault?.kind === 'crash-after') die();
		if (fault?.kind === 'noise') print('PS C:\\> ');
		if (fault?.kind === 'noise') print('\n');
		send({id, ok: true, result});
	} catch (error) {
		const failure = error instanceof Failure ? error : new Failure('Unspecified', 'NotSpecified', String(error));
		const {id: name, category, hresult, message} = failure;
		send({id, ok: false, error: {id: name, category, hresult, message}});
	}
}

function watch(): void {
	let before = new Map(state.machines().map(machine => [machine.vm, stateOf(machine)]));
	setInterval(() => {
		const now = new Map(state.machines().map(machine => [machine.vm, stateOf(machine)]));
		for (const [vm, is] of now) if (before.has(vm) && before.get(vm) !== is) send({event: 'changed', vm});
		before = now;
	}, 50).unref();
}

state.countStart();
if (startDelayMs) await sleep(startDelayMs);
if (refusal !== undefined) {
	process.stderr.write(`${refusal}\r\n`);
	process.exit(1);
}
if (hasBom) print('\uFEFF');
if (banner !== undefined) print(`${banner}\n`);
send({
	event: 'hello',
	protocol,
	powershell: '5.1.22621.2506',
	pid: process.pid,
	capabilities: how.hasEvents === false ? ['sample'] : ['events', 'sample'],
});
for await (const line of createInterface({input: process.stdin})) {
	if (line.trim() === '') continue;
	const {id, op} = JSON.parse(line) as {id: number; op: string};
	if (op !== 'watch') await answer(line);
	else {
		watch();
		send({id, ok: true, result: {watching: true}});
	}
}
process.exit(0);
