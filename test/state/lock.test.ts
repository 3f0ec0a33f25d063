import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {lockHolder, takeLock} from '../../source/state/lock.ts';

let home: string;
let lock: string;
const children: ChildProcess[] = [];

beforeEach(() => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-lock-'));
	lock = path.join(home, 'lock');
});

afterEach(async () => {
	for (const child of children.splice(0)) await end(child);
	rmSync(home, {recursive: true, force: true});
});

async function end(child: ChildProcess) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill('SIGKILL');
	await once(child, 'exit');
}

/** A process of its own that takes the lock, says what came of it, runs `then` and stays. */
async function holder(then = '') {
	const module = new URL('../../source/state/lock.ts', import.meta.url).href;
	const script = `
		const {takeLock} = await import(${JSON.stringify(module)});
		const lock = await takeLock(${JSON.stringify(lock)});
		${then}
		console.log(lock ? 'taken' : 'busy');
		setInterval(() => {}, 1e6);`;
	const child = spawn(process.execPath, ['--input-type=module', '-e', script], {stdio: ['ignore', 'pipe', 'pipe']});
	children.push(child);
	let errors = '';
	child.stderr.on('data', data => {
		errors += data;
	});
	const [answer] = await Promise.race([
		once(child.stdout, 'data'),
		once(child, 'exit').then(() => {
			throw new Error(errors);
		}),
	]);
	return {child, answer: String(answer).trim(), errors: () => errors};
}

test('one process has it, a second is told at once, a release frees it', async () => {
	const mine = await takeLock(lock);
	expect(mine).toBeDefined();
	expect(await takeLock(lock)).toBeUndefined();
	expect((await holder()).answer).toBe('busy');
	expect(lockHolder(lock)).toBe(process.pid);
	mine?.release();
	expect((await holder()).answer).toBe('taken');
});

test('the kernel frees it when the holder is killed, and nothing is printed', async () => {
	const first = await holder();
	expect(first.answer).toBe('taken');
	expect(lockHolder(lock)).toBe(first.child.pid);
	expect(await takeLock(lock)).toBeUndefined();
	await end(first.child);
	const mine = await takeLock(lock);
	expect(mine).toBeDefined();
	expect(first.errors()).toBe('');
	mine?.release();
});

test('a program started by the holder does not inherit it', async () => {
	const first = await holder(`
		const {spawn} = await import('node:child_process');
		const program = spawn('sleep', ['60'], {detached: true, stdio: 'ignore'});
		program.unref();
		console.error(program.pid);`);
	await expect.poll(() => first.errors()).toMatch(/^\d+\n$/);
	const program = Number(first.errors());
	try {
		await end(first.child);
		expect(existsSync(`/proc/${program}`) || process.platform !== 'linux').toBe(true);
		const mine = await takeLock(lock);
		expect(mine).toBeDefined();
		mine?.release();
	} finally {
		process.kill(program, 'SIGKILL');
	}
});

test('of many that start together exactly one gets it', async () => {
	const answers = await Promise.all(Array.from({length: 6}, () => holder()));
	expect(answers.map(({answer}) => answer).sort()).toEqual(['busy', 'busy', 'busy', 'busy', 'busy', 'taken']);
});

test('a damaged lock file is no obstacle, and a held one stays empty', async () => {
	writeFileSync(lock, 'not a database '.repeat(100));
	const mine = await takeLock(lock);
	expect(mine).toBeDefined();
	expect(statSync(lock).size).toBe(0);
	expect((await holder()).answer).toBe('busy');
	mine?.release();
});

test('a directory that is not there is an error with a next step', async () => {
	await expect(takeLock(path.join(home, 'missing', 'lock'))).rejects.toMatchObject({
		code: 'host.failed',
		next: expect.stringContaining('directory'),
	});
});
