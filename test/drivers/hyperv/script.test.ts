import {describe, expect, test} from 'vitest';
import {operations} from '../../../source/drivers/hyperv/messages.ts';
import {scriptText} from '../../../source/drivers/hyperv/script-text.ts';
import cmdlets from './cmdlets.json' with {type: 'json'};
import {calls, functions, nodes, ofType, parseScript, readScript} from './script.ts';

/*
 * No PowerShell can be had where these tests run, so that the script is read and not run. `cmdlets.json` has what
 * Microsoft's documentation says of each cmdlet that is called: its module, and the parameters that it has in Windows
 * Server 2016, 2019 and 2025 alike (PowerShell 5.1 and 7.4, for PowerShell's own).
 */

type Known = Readonly<Record<string, {readonly module: string; readonly parameters: readonly string[]}>>;
const known = cmdlets as Known;
const common = ['ErrorAction', 'Confirm'];
/** Modules of PowerShell itself, whose commands nobody else has under the same name. */
const own = /^Microsoft\.PowerShell\./;

/** What is the matter with how a script calls commands. */
async function problemsOf(text: string): Promise<string[]> {
	const {root, problems} = await parseScript(text);
	const mine = new Set(functions(root));
	for (const {name, parameters, hasLoose, line} of calls(root)) {
		if (mine.has(name)) continue;
		const [module, plain] = name.includes('\\') ? name.split('\\') : [undefined, name];
		const found = known[plain ?? ''];
		const at = `line ${line}: ${name}`;
		if (found === undefined) {
			problems.push(`${at} is not on the list`);
			continue;
		}
		if (module === undefined && !own.test(found.module)) problems.push(`${at} needs its module ${found.module}`);
		if (module !== undefined && module !== found.module) problems.push(`${at} is of ${found.module}`);
		if (hasLoose) problems.push(`${at} has a value without a name`);
		for (const parameter of parameters) {
			if (!found.parameters.includes(parameter) && !common.includes(parameter)) {
				problems.push(`${at} has no parameter -${parameter} everywhere`);
			}
		}
	}
	return problems;
}

/** Variables that are used and that nobody gives a value, by function. */
async function unassigned(text: string): Promise<string[]> {
	const {root} = await parseScript(text);
	const automatic = /^\$(?:_|true|false|null|PID|PSVersionTable|PSScriptRoot|env:.*|LASTEXITCODE)$/i;
	const assignedIn = (scope: Parameters<typeof ofType>[0]) =>
		new Set([
			...ofType(scope, 'left_assignment_expression').map(node => node.text.replace(/[.[].*$/s, '')),
			...ofType(scope, 'script_parameter').flatMap(node => ofType(node, 'variable').map(each => each.text)),
			...ofType(scope, 'foreach_statement').flatMap(node => {
				const variable = node.namedChildren.find(child => child?.type === 'variable');
				return variable ? [variable.text] : [];
			}),
		]);
	const top = new Set(
		root.namedChildren
			.flatMap(child => (child ? ofType(child, 'left_assignment_expression').filter(node => !isInFunction(node)) : []))
			.map(node => node.text.replace(/[.[].*$/s, '')),
	);
	const found: string[] = [];
	for (const scope of [...ofType(root, 'function_statement'), root]) {
		const mine = assignedIn(scope);
		for (const variable of ofType(scope, 'variable')) {
			if (scope === root && isInFunction(variable)) continue;
			const name = variable.text.replace(/^@/, '$');
			if (automatic.test(name) || mine.has(name) || top.has(name)) continue;
			found.push(`line ${variable.startPosition.row + 1}: ${name}`);
		}
	}
	return found;
}

function isInFunction(node: Parameters<typeof ofType>[0]): boolean {
	for (let parent = node.parent; parent; parent = parent.parent) {
		if (parent.type === 'function_statement') return true;
	}
	return false;
}

describe('the script', () => {
	const text = readScript('source/drivers/hyperv/hyperv.ps1');

	test('is what the program has in it', () => {
		expect(scriptText).toBe(text);
	});

	test('is PowerShell, in ASCII and with tabs', async () => {
		expect((await parseScript(text)).problems).toEqual([]);
		expect(text).not.toMatch(/[^\x09\x0a\x20-\x7e]/);
	});

	test('calls only what is on the list, from the module it is of, with parameters that are there everywhere', async () => {
		expect(await problemsOf(text)).toEqual([]);
	});

	test('uses no variable that has no value, and gives none to those of PowerShell’s own', async () => {
		expect(await unassigned(text)).toEqual([]);
		const {root} = await parseScript(text);
		const assigned = [
			...ofType(root, 'left_assignment_expression').map(node => node.text),
			...ofType(root, 'foreach_statement').flatMap(node => node.namedChildren[0]?.text ?? []),
			...ofType(root, 'script_parameter').map(node => node.text.replace(/^\[.*\]/, '')),
		];
		const reserved =
			/^\$(?:args|error|event|eventargs|eventsubscriber|executioncontext|foreach|home|host|input|iscoreclr|islinux|iswindows|lastexitcode|matches|myinvocation|nestedpromptlevel|pid|profile|psitem|psscriptroot|pwd|sender|shellid|stacktrace|switch|this|_)$/i;
		expect(assigned.filter(name => reserved.test(name))).toEqual([]);
	});

	test('makes no command out of data, and nothing that only newer versions understand', async () => {
		const {root} = await parseScript(text);
		expect(ofType(root, 'command_invokation_operator').map(node => node.text)).toEqual([]);
		expect(text).not.toMatch(/Invoke-Expression|\biex\b|\[scriptblock\]|AddScript|-EncodedCommand|Add-Type/i);
		const operators = [...nodes(root)].filter(node => ['??', '??=', '?.', '?[', '?', '&&', '||'].includes(node.type));
		expect(operators.map(node => node.text)).toEqual([]);
		// What a request says is in no text that is expanded or is a filter.
		for (const string of ofType(root, 'expandable_string_literal')) expect(string.text).not.toMatch(/\$(?!env:)/);
	});

	test('knows states by name and errors by id', () => {
		expect(text).not.toMatch(/EnabledState -?(?:eq|ne)|\[int\]\$\w+\.State|Exception\.Message -(?:match|like|eq)/);
		expect(text).not.toMatch(/\.State -(?:eq|ne|contains)/);
	});
});

describe('the reader itself', () => {
	test('catches what is no PowerShell', async () => {
		expect((await parseScript('if ($true { }')).problems).not.toEqual([]);
	});

	test('catches calls that are not as the list has them', async () => {
		const text = [
			'Get-VM -Name x',
			'Hyper-V\\Get-VM x',
			'Hyper-V\\Get-Everything',
			'Hyper-V\\Stop-VM -VM $a -Gently',
			'Utility\\Get-Service -Name vmms',
			'Get-Date',
		].join('\n');
		expect(await problemsOf(text)).toEqual([
			'line 1: Get-VM needs its module Hyper-V',
			'line 2: Hyper-V\\Get-VM has a value without a name',
			'line 3: Hyper-V\\Get-Everything is not on the list',
			'line 4: Hyper-V\\Stop-VM has no parameter -Gently everywhere',
			'line 5: Utility\\Get-Service is of Microsoft.PowerShell.Management',
			'line 6: Get-Date is not on the list',
		]);
	});

	test('catches variables without a value', async () => {
		const text = '$a = 1\nfunction Get-It($b) { $c = $a + $b + $d\n $c }\n$e';
		expect(await unassigned(text)).toEqual(['line 2: $d', 'line 4: $e']);
	});
});

describe('the script’s side of the language', () => {
	test('has each operation that drover asks for, and no other', async () => {
		const {root} = await parseScript(scriptText);
		const dispatch = ofType(root, 'function_statement').find(node =>
			node.text.startsWith('function Invoke-Operation'),
		)!;
		const names = ofType(dispatch, 'switch_clause_condition').map(node => node.text.replaceAll("'", ''));
		expect(names.filter(name => name !== 'default').sort()).toEqual([...operations].sort());
		const called = new Set(calls(dispatch).map(({name}) => name));
		const defined = functions(root).filter(name => name.startsWith('Invoke-') && !/-(?:Operation|Request)$/.test(name));
		expect([...called].filter(name => name !== 'New-Failure').sort()).toEqual(defined.sort());
	});

	test('speaks of its errors by ids that drover knows', async () => {
		const {hypervError, HypervError} = await import('../../../source/drivers/hyperv/errors.ts');
		const ids = [...scriptText.matchAll(/New-Failure '(drover\.\w+)'/g)].map(match => match[1]!);
		expect(ids.length).toBeGreaterThan(8);
		const defects = ['drover.NoSuchOperation', 'drover.DiskShrinks'];
		for (const id of new Set(ids.filter(each => !defects.includes(each)))) {
			const told = hypervError(new HypervError('refused', 'x', {id, category: '', hresult: 0, message: 'x'}), 'y');
			expect((told as Error).message, id).not.toMatch(/^Hyper-V failed at/);
		}
	});
});
