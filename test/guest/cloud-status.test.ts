import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {describe, expect, onTestFinished, test} from 'vitest';
import {initScript, parseInitLine} from '../../source/guest/cloud-status.ts';
import {Lines} from '../../source/guest/follow-init.ts';

const none = {errors: [], start: null, finished: null};

/** The status file of cloud-init 22.4 on Debian 12, with parts of it replaced. */
function statusLine(v1: object): string {
	const file = {
		v1: {
			datasource: 'DataSourceNoCloud [seed=/dev/vdb][dsmode=net]',
			init: none,
			'init-local': none,
			'modules-config': none,
			'modules-final': none,
			'modules-init': none,
			stage: null,
			...v1,
		},
	};
	return `status ${JSON.stringify(file, undefined, 1).replaceAll('\n', '\t')}`;
}

const verdictLine = (verdict: object) => `verdict ${JSON.stringify(verdict)}`;

describe('what a guest says', () => {
	test.each<[string, object]>([
		['absent', {kind: 'absent'}],
		['disabled', {kind: 'disabled'}],
		['status ', {kind: 'running', errors: []}],
		[statusLine({}), {kind: 'running', errors: []}],
		[
			statusLine({stage: 'init-local', 'init-local': {...none, start: 1}}),
			{kind: 'running', stage: 'init-local', errors: []},
		],
		// Between two stages.
		[
			statusLine({'init-local': {...none, start: 1, finished: 2}, init: {...none, start: 3, finished: 4}}),
			{kind: 'running', stage: 'init', errors: []},
		],
		[
			statusLine({stage: 'modules-final', 'modules-config': {...none, start: 1, errors: ['it\u001B[31m broke', 7]}}),
			{kind: 'running', stage: 'modules-final', errors: ['it broke']},
		],
		// Since 23.4.
		[
			statusLine({stage: 'single', init: {...none, start: 1, recoverable_errors: {}}}),
			{kind: 'running', stage: 'init', errors: []},
		],
		[verdictLine({status: 'done', errors: [], detail: 'DataSourceNoCloud'}), {kind: 'ended', errors: [], warnings: []}],
		[
			verdictLine({
				status: 'done',
				extended_status: 'degraded done',
				errors: [],
				recoverable_errors: {WARNING: ['w'], DEPRECATED: ['d', 'w']},
			}),
			{kind: 'ended', errors: [], warnings: ['w', 'd']},
		],
		[
			verdictLine({status: 'error', extended_status: 'error - done', errors: ['a', 'b'], detail: 'a\nb'}),
			{kind: 'ended', errors: ['a', 'b'], warnings: []},
		],
		[verdictLine({status: 'error', detail: 'bad'}), {kind: 'ended', errors: ['bad'], warnings: []}],
		[verdictLine({status: 'error'}), {kind: 'ended', errors: ['it does not say which'], warnings: []}],
		[
			verdictLine({status: 'error', extended_status: 'error - running', errors: ['a'], stage: 'init'}),
			{kind: 'running', stage: 'init', errors: ['a']},
		],
		[verdictLine({status: 'running', stage: null}), {kind: 'running', errors: []}],
		[verdictLine({status: 'not run'}), {kind: 'running', errors: []}],
		[verdictLine({status: 'disabled'}), {kind: 'disabled'}],
		// Before 22.4, and micro.
		['verdict status: done\t', {kind: 'ended', errors: [], warnings: []}],
		['verdict status: running\t', {kind: 'running', errors: []}],
		[
			"verdict \tstatus: error\ttime: Thu, 01 Jan\tdetail:\t('scripts-user', RuntimeError())\t",
			{kind: 'ended', errors: ["('scripts-user', RuntimeError())"], warnings: []},
		],
	])('%s', (line, report) => {
		expect(parseInitLine(line)).toEqual(report);
	});

	test.each([
		'',
		'.',
		'nonsense',
		'status {',
		'status []',
		'status {"v1": 3}',
		'verdict ',
		'verdict {}',
		'verdict {"status": 4}',
	])('%j is not understood, and no harm', line => {
		expect(parseInitLine(line)).toBeUndefined();
	});

	test('whatever it sends: it is never thrown at, and what is shown is plain and short', () => {
		const anything = fc.oneof(
			fc.string().map(text => `verdict ${text}`),
			fc.json().map(text => `status {"v1": ${text}}`),
			fc.array(fc.string({unit: 'binary'})).map(errors => verdictLine({status: 'error', errors})),
		);
		fc.assert(
			fc.property(anything, line => {
				const report = parseInitLine(line);
				const texts = report !== undefined && 'errors' in report ? report.errors : [];
				expect(texts.length).toBeLessThanOrEqual(10);
				for (const text of texts) expect(text).toMatch(/^[^\u0000-\u001F\u007F-\u009F]{1,300}$/);
			}),
		);
	});
});

test('a stream is cut into lines, of which long ones lose their end', () => {
	const seen: string[] = [];
	const lines = new Lines(line => seen.push(line));
	for (const part of ['one\ntw', 'o\n', '\n', 'x'.repeat(70_000), 'y\nz']) lines.add(Buffer.from(part));
	expect(seen.map(line => line.length)).toEqual([3, 3, 0, 65_536]);
	lines.add(Buffer.from('\n'));
	expect(seen.at(-1)).toBe('z');
});

describe('the script, in a shell', () => {
	/** A guest with these files in `/run/cloud-init` and this program as `cloud-init`. */
	function guest(files: Readonly<Record<string, string>>, program?: string) {
		const root = mkdtempSync(path.join(tmpdir(), 'drover-init-'));
		onTestFinished(() => rmSync(root, {recursive: true}));
		for (const directory of ['run', 'bin']) mkdirSync(path.join(root, directory));
		for (const [name, text] of Object.entries(files)) writeFileSync(path.join(root, 'run', name), text);
		if (program !== undefined) {
			writeFileSync(path.join(root, 'bin/cloud-init'), `#!/bin/sh\n${program}\n`);
			chmodSync(path.join(root, 'bin/cloud-init'), 0o755);
		}
		const script = initScript
			.replaceAll('/run/cloud-init', path.join(root, 'run'))
			.replaceAll('/var/lib/cloud', root)
			.replaceAll('/etc/cloud', root);
		return (looks: number) =>
			execFileSync('sh', ['-c', script, 'sh', String(looks)], {
				env: {PATH: `${path.join(root, 'bin')}:/usr/bin:/bin`},
				encoding: 'utf8',
			})
				.split('\n')
				.slice(0, -1)
				.map(line => parseInitLine(line));
	}

	test('without cloud-init', () => {
		expect(guest({})(1)).toEqual([{kind: 'absent'}]);
	});

	test('disabled', () => {
		expect(guest({disabled: ''}, 'exit 1')(1)).toEqual([{kind: 'disabled'}]);
	});

	test('running: told once, as long as nothing changes', () => {
		const file = JSON.stringify({v1: {stage: 'init', init: {errors: [], start: 1}}}, undefined, 1);
		expect(guest({'status.json': file}, 'exit 1')(2)).toEqual([{kind: 'running', stage: 'init', errors: []}]);
	});

	test('ended, in a version that knows JSON', () => {
		const program = `printf '{\\n "status": "error",\\n "errors": ["a b"]\\n}\\n'; exit 1`;
		expect(guest({'result.json': '{}'}, program)(1)).toEqual([{kind: 'ended', errors: ['a b'], warnings: []}]);
	});

	test('ended, in one that does not', () => {
		const program = `[ "$2" = --long ] || { echo 'usage: cloud-init' >&2; exit 2; }; printf 'status: error\\ndetail:\\nbad\\n'`;
		expect(guest({'result.json': '{}'}, program)(1)).toEqual([{kind: 'ended', errors: ['bad'], warnings: []}]);
	});
});
