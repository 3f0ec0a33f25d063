import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import type {AliasBook} from '../../source/model/alias.ts';
import {batchText, syncScripts} from '../../source/state/alias-scripts.ts';
import {scratchPaths} from '../support/scratch.ts';

const book: AliasBook = {
	active: 'default',
	aliases: [{context: 'default', name: 'top', instance: 'web', command: '/usr/bin/top', map: true}],
};
const launcher = {command: ['C:\\Program Files\\nodejs\\node.exe', 'D:\\100%\\dist\\drover.js'], home: 'E:\\d'};

test('on Windows aliases are files that cmd runs, and what is not ours stays', async () => {
	const directory = path.join(scratchPaths().data, 'bin');
	mkdirSync(directory, {recursive: true});
	writeFileSync(path.join(directory, 'own.cmd'), '@echo off\r\nrem mine\r\n');
	await syncScripts(directory, book, launcher, 'win32');
	expect(readdirSync(directory).sort()).toEqual(['default.top.cmd', 'own.cmd', 'top.cmd']);
	expect(readFileSync(path.join(directory, 'top.cmd'), 'utf8').split('\r\n')).toEqual([
		'@echo off',
		'rem An alias of drover; made and removed by it.',
		'setlocal',
		'set "DROVER_HOME=E:\\d"',
		'"C:\\Program Files\\nodejs\\node.exe" "D:\\100%%\\dist\\drover.js" "top" -- %*',
		'',
	]);
	await syncScripts(directory, {...book, aliases: []}, launcher, 'win32');
	expect(readdirSync(directory)).toEqual(['own.cmd']);
});

test('without a home of its own none is set', () => {
	expect(batchText('top', {command: ['node']})).not.toContain('DROVER_HOME');
});
