import {expect, test} from 'vitest';
import {clipboardBytes} from '../../source/components/terminal/clipboard.ts';
import {terminalTraits} from '../../source/components/terminal/environment.ts';

const usual = {TERM: 'xterm-256color', LANG: 'en_US.UTF-8'};

test('a usual terminal has colours, Unicode and synchronised output', () => {
	expect(terminalTraits(usual)).toMatchObject({color: true, ascii: false, sync: true});
});

test('NO_COLOR and FORCE_COLOR are obeyed', () => {
	expect(terminalTraits({...usual, NO_COLOR: '1'}).color).toBe(false);
	expect(terminalTraits({...usual, NO_COLOR: ''}).color).toBe(true);
	expect(terminalTraits({...usual, FORCE_COLOR: '0'}).color).toBe(false);
	expect(terminalTraits({...usual, NO_COLOR: '1', FORCE_COLOR: '1'}).color).toBe(true);
	expect(terminalTraits({...usual, TERM: 'vt220'}).color).toBe(false);
});

test('without UTF-8, and on the Linux console, only ASCII is written', () => {
	expect(terminalTraits({...usual, LANG: 'C'}).ascii).toBe(true);
	expect(terminalTraits({TERM: 'xterm'}).ascii).toBe(true);
	expect(terminalTraits({...usual, LC_ALL: 'C'}).ascii).toBe(true);
	expect(terminalTraits({...usual, LANG: 'C', LC_CTYPE: 'C.utf8'}).ascii).toBe(false);
	expect(terminalTraits({...usual, TERM: 'linux'}).ascii).toBe(true);
});

test('on Windows, terminals that name themselves show Unicode', () => {
	expect(terminalTraits({}, 'win32').ascii).toBe(true);
	expect(terminalTraits({WT_SESSION: '0d1c'}, 'win32')).toMatchObject({ascii: false, color: true});
	expect(terminalTraits({TERM_PROGRAM: 'vscode'}, 'win32').ascii).toBe(false);
	expect(terminalTraits({WT_SESSION: '0d1c', TERM: 'xterm'}, 'linux').ascii).toBe(true);
});

test('DROVER_SYNC=0 takes the marks away', () => {
	expect(terminalTraits({...usual, DROVER_SYNC: '0'}).sync).toBe(false);
});

test('a text is sent to the clipboard as OSC 52, wrapped for GNU screen', () => {
	expect(clipboardBytes('web', false)).toBe('\u001B]52;c;d2Vi\u0007');
	expect(clipboardBytes('web', true)).toBe('\u001BP\u001B]52;c;d2Vi\u0007\u001B\\');
	expect(clipboardBytes('x'.repeat(60_000), false)).toBe('');
});
