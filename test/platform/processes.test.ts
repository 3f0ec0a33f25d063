import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {processorSeconds, procProcesses} from '../../source/platform/proc-processes.ts';
import type {Processes} from '../../source/platform/processes.ts';
import {findProgram, type Run, run} from '../../source/platform/programs.ts';
import {psProcesses, secondsOf} from '../../source/platform/ps-processes.ts';
import {splitWindowsLine, windowsProcesses} from '../../source/platform/windows-processes.ts';

const id = '0b4c1f3e-1111-4222-8333-444455556666';

/** A process with a blank in one argument and an id that it can be known by. */
async function someProcess(): Promise<{pid: number; end(): Promise<void>}> {
	const child = spawn(
		process.execPath,
		['-e', 'process.send?.(1); setInterval(() => {}, 1000)', '--', '-uuid', id, 'a b'],
		{
			stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
		},
	);
	await once(child, 'message');
	child.disconnect();
	const end = async () => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, 'exit');
		child.kill('SIGKILL');
		await ended;
	};
	onTestFinished(end);
	return {pid: child.pid!, end};
}

const hasPs = (await findProgram('ps')) !== undefined;
const tables: ReadonlyArray<readonly [string, Processes, boolean]> = [
	['/proc', procProcesses, process.platform === 'linux'],
	[`ps, as on macOS${hasPs ? '' : ' (skipped: this machine has no ps)'}`, psProcesses(run), hasPs],
];

describe.each(tables)('processes by way of %s', (_name, processes, isHere) => {
	test.runIf(isHere)('are known by their words, by when they began, and by what they have used', async () => {
		const {pid, end} = await someProcess();
		const words = (await processes.arguments(pid))!;
		expect(words[words.indexOf('-uuid') + 1]).toBe(id);
		expect((await processes.withWord(id)).get(pid)).toEqual(words);
		expect([...(await processes.withWord(id)).keys()]).toEqual([pid]);
		const began = await processes.began(pid);
		expect(began).toMatch(/^\d+$/);
		expect(await processes.began(pid)).toBe(began);
		expect((await processes.usage(pid))!.cpuSeconds).toBeGreaterThanOrEqual(0);
		await end();
		expect(await processes.arguments(pid)).toBeUndefined();
		expect(await processes.began(pid)).toBeUndefined();
		expect(await processes.usage(pid)).toBeUndefined();
		expect(await processes.withWord(id)).toEqual(new Map());
	});

	test.runIf(isHere)('end when they are asked to, and not those that are gone', async () => {
		const {pid, end} = await someProcess();
		processes.end(pid, false);
		await expect.poll(() => processes.arguments(pid)).toBeUndefined();
		await end();
		expect(() => processes.end(2 ** 22 + 1, true)).not.toThrow();
	});
});

describe('the processor time of a process', () => {
	const numbers = (user: number, system: number) =>
		`S 1 2 3 0 -1 4194560 1 0 0 0 ${user} ${system} 0 0 20 0 4 0 81 1024 55\n`;

	test('is what it has had in its own and in the kernel’s name', () => {
		expect(processorSeconds(`42 (qemu-system-x86) ${numbers(250, 50)}`)).toBe(3);
	});

	test('is found whatever the process is called', () => {
		expect(processorSeconds(`42 (a) 9 (b c) ${numbers(100, 0)}`)).toBe(1);
	});

	test.each(['', '42 (qemu)', '42 (qemu) Z 1', 'nonsense'])('%j tells none', text => {
		expect(processorSeconds(text)).toBeUndefined();
	});
});

describe('ps of macOS', () => {
	/** As ps(1) of macOS writes it: the state padded, blanks at the end of `lstart`. */
	const recorded: Run = async (_program, args) => {
		const columns = args[args.indexOf('-o') + 1];
		const texts: Record<string, string> = {
			'stat=,lstart=': 'S    Mon Nov  3 08:05:09 2025    \n',
			'time=': '  7:08.94\n',
			'stat=,command=': `Ss   /opt/homebrew/bin/qemu-system-aarch64 -name web -uuid ${id} -chardev socket,path=/Users/a/Library/Application Support/x.sock\n`,
			'pid=,stat=,command=': `    1 Ss   /sbin/launchd\n  977 Z    (qemu-system-aarc)\n 4242 S    qemu-system-aarch64 -uuid ${id}\n`,
		};
		return {code: 0, stdout: texts[columns!] ?? '', stderr: '', timedOut: false};
	};
	const processes = psProcesses(recorded);

	test('is read as it is', async () => {
		expect(await processes.began(4242)).toBe(String(Date.UTC(2025, 10, 3, 8, 5, 9) / 1000));
		expect(await processes.usage(4242)).toEqual({cpuSeconds: 428.94});
		const words = (await processes.arguments(4242))!;
		expect(words.slice(0, 5)).toEqual(['/opt/homebrew/bin/qemu-system-aarch64', '-name', 'web', '-uuid', id]);
		expect([...(await processes.withWord(id)).keys()]).toEqual([4242]);
	});

	test('speaks English and UTC, whatever the user has', async () => {
		let given: Readonly<Record<string, string>> | undefined;
		await psProcesses(async (_program, _args, options) => {
			given = options.environment;
			return {code: 1, stdout: '', stderr: '', timedOut: false};
		}).began(1);
		expect(given).toMatchObject({LC_ALL: 'C', TZ: 'UTC'});
	});

	test.each([
		['0:00.05', 0.05],
		['7:08.94', 428.94],
		['123:00.00', 7380],
		['01:02:03', 3723],
		['2-01:00:00', 176_400],
		['', undefined],
		['-', undefined],
		['12', undefined],
	])('the time %j is %s seconds', (text, seconds) => {
		expect(secondsOf(text)).toBe(seconds);
	});
});

describe('Windows', () => {
	test.each([
		['qemu.exe -name web', ['qemu.exe', '-name', 'web']],
		[
			String.raw`"C:\Program Files\qemu\qemu-system-x86_64.exe" -uuid x`,
			[String.raw`C:\Program Files\qemu\qemu-system-x86_64.exe`, '-uuid', 'x'],
		],
		// The examples of Microsoft's "Parsing C command-line arguments".
		['"abc" d e', ['abc', 'd', 'e']],
		[String.raw`a\\b d"e f"g h`, [String.raw`a\\b`, 'de fg', 'h']],
		[String.raw`a\\\"b c d`, [String.raw`a\"b`, 'c', 'd']],
		[String.raw`a\\\\"b c" d e`, [String.raw`a\\b c`, 'd', 'e']],
		['a"b"" c d', ['ab" c d']],
		['a "" b', ['a', '', 'b']],
		['  ', []],
	])('%s is taken apart as its programs do it', (line, words) => {
		expect(splitWindowsLine(line)).toEqual(words);
	});

	/** What was asked, and answers as `ConvertTo-Json -Compress` of PowerShell 5.1 writes them. */
	function asked(answer: string) {
		const scripts: string[] = [];
		const processes = windowsProcesses(async (program, args) => {
			expect(program).toBe('powershell.exe');
			scripts.push(Buffer.from(args.at(-1)!, 'base64').toString('utf16le'));
			return {code: 0, stdout: answer, stderr: '', timedOut: false};
		});
		return {scripts, processes};
	}
	const row = `{"pid":4242,"line":"qemu-system-x86_64.exe -uuid ${id} \\"a b\\"","began":"133742112345678901","cpu":1.5}`;

	test.each([
		['one row', row],
		['a list of one', `[${row}]`],
		['a mark before it', `\uFEFF${row}\r\n`],
	])('is asked once and tells all, in %s', async (_what, answer) => {
		const {scripts, processes} = asked(answer);
		expect(await processes.arguments(4242)).toEqual(['qemu-system-x86_64.exe', '-uuid', id, 'a b']);
		expect(await processes.began(4242)).toBe('133742112345678901');
		expect(await processes.usage(4242)).toEqual({cpuSeconds: 1.5});
		expect(await processes.withWord(id)).toEqual(new Map([[4242, ['qemu-system-x86_64.exe', '-uuid', id, 'a b']]]));
		expect(scripts[0]).toContain("-Filter 'ProcessId = 4242'");
		expect(scripts[3]).toContain(`CommandLine LIKE "%${id}%"`);
	});

	test('nothing, nonsense and others’ processes are no process', async () => {
		for (const answer of ['', '[]', 'null', '{"pid":"x"}', 'error', '{"pid":1,"line":null,"began":"1","cpu":null}']) {
			expect(await asked(answer).processes.arguments(1)).toBeUndefined();
		}
		expect(await asked('').processes.began(1)).toBeUndefined();
	});

	test('a word cannot leave the pattern it is looked for with', async () => {
		const {scripts, processes} = asked('[]');
		await processes.withWord(`x" OR '1'='1 | Remove-Item`);
		expect(scripts[0]).toContain('LIKE "%x_ OR _1___1 _ Remove-Item%"');
	});
});

test('what this process is to the two ways of Linux is the same process', async ({skip}) => {
	skip(process.platform !== 'linux' || !hasPs, 'needs /proc and ps');
	const stat = readFileSync('/proc/self/stat', 'utf8');
	const [mine, theirs] = await Promise.all([procProcesses.usage(process.pid), psProcesses(run).usage(process.pid)]);
	expect(mine!.cpuSeconds).toBeGreaterThanOrEqual(processorSeconds(stat)!);
	expect(Math.abs(mine!.cpuSeconds - theirs!.cpuSeconds)).toBeLessThan(3);
});
