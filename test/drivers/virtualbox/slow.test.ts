import {chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {Manage} from '../../../source/drivers/virtualbox/manage.ts';

/** A VBoxManage whose starts do in turn what they are told: `hang`, `fail`, `no service`, or an answer. Each start leaves its pid. */
function manageThat(...turns: readonly string[]) {
	const directory = mkdtempSync(path.join(tmpdir(), 'drover-vbox-'));
	onTestFinished(() => rmSync(directory, {recursive: true}));
	const program = path.join(directory, 'VBoxManage');
	const log = path.join(directory, 'pids');
	writeFileSync(log, '');
	const script = `const {readFileSync, appendFileSync} = require('node:fs');
const turn = ${JSON.stringify(turns)}[readFileSync(${JSON.stringify(log)}, 'utf8').length / 8];
appendFileSync(${JSON.stringify(log)}, String(process.pid).padStart(8));
if (turn === 'hang') setTimeout(() => {}, 60_000);
else if (turn === 'no service') { console.error('VBoxManage: error: Failed to create the VirtualBox object!'); process.exitCode = 1; }
else if (turn === 'fail') { console.error('VBoxManage: error: no'); process.exitCode = 1; }
else console.log(turn);`;
	writeFileSync(program, `#!${process.execPath}\n${script}\n`);
	chmodSync(program, 0o755);
	const pids = () => (readFileSync(log, 'utf8').match(/.{8}/g) ?? []).map(Number);
	return {manage: new Manage(program, {}), pids};
}

const isAlive = (pid: number) => {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
};

describe('a VBoxManage that stands still', () => {
	test('is asked once more by who only looks, and ended', async () => {
		const {manage, pids} = manageThat('hang', 'second');
		expect(await manage.look(['list', 'vms'], {timeoutMs: 15_000})).toBe('second');
		await expect.poll(() => pids().filter(isAlive)).toEqual([]);
		expect(manage.starts).toBe(2);
	});

	test('and whose second one fails is waited for, and told as silent', async () => {
		const {manage} = manageThat('hang', 'fail');
		await expect(manage.look(['list', 'vms'], {timeoutMs: 1500})).rejects.toMatchObject({problem: 'silent'});
	});

	test('is not asked for work twice', async () => {
		const {manage} = manageThat('hang', 'second');
		await expect(manage.work(['startvm', 'x'], {timeoutMs: 1500})).rejects.toMatchObject({problem: 'silent'});
		expect(manage.starts).toBe(1);
	});

	test('whose service is just coming is asked again', async () => {
		const {manage} = manageThat('no service', 'no service', 'third');
		expect(await manage.look(['list', 'vms'])).toBe('third');
		const {manage: never} = manageThat(...Array(20).fill('no service'));
		await expect(never.look(['list', 'vms'])).rejects.toMatchObject({problem: 'starting'});
	});

	test('while one that answers is one start, also when it answers no', async () => {
		const {manage} = manageThat('first', 'fail');
		expect(await manage.look(['list', 'vms'])).toBe('first');
		await expect(manage.look(['list', 'vms'])).rejects.toMatchObject({problem: 'refused'});
		expect(manage.starts).toBe(2);
	});
});
