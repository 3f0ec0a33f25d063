import {
	appendFileSync,
	chmodSync,
	chownSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {lastLines, openDaemonLog} from '../../source/protocol/daemon-log.ts';
import {checkPrivate} from '../../source/protocol/private-place.ts';
import {daemonEnvironment} from '../../source/protocol/start-daemon.ts';

let home: string;

beforeEach(() => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-places-'));
});

afterEach(() => rmSync(home, {recursive: true, force: true}));

test('a place of our own is trusted, also while it does not exist', () => {
	const directory = path.join(home, 'run');
	const socket = path.join(directory, 'drover.sock');
	expect(() => checkPrivate(socket)).not.toThrow();
	mkdirSync(directory, {mode: 0o700});
	writeFileSync(socket, '');
	expect(() => checkPrivate(socket)).not.toThrow();
});

test.each([0o701, 0o710, 0o750, 0o777])('a directory with mode %o is refused', mode => {
	chmodSync(home, mode);
	expect(() => checkPrivate(path.join(home, 'drover.sock'))).toThrow('open to other users');
});

test.runIf(process.getuid?.() === 0)('a directory or socket of somebody else is refused', () => {
	const socket = path.join(home, 'drover.sock');
	writeFileSync(socket, '');
	chownSync(socket, 4242, 4242);
	expect(() => checkPrivate(socket)).toThrow(`${socket} belongs to another user`);
	chownSync(home, 4242, 4242);
	expect(() => checkPrivate(socket)).toThrow(`${home} belongs to another user`);
});

test('the log is bounded, keeps the part before, and what others append to it goes on', () => {
	const file = path.join(home, 'daemon.log');
	const log = openDaemonLog(file, 1000);
	for (let index = 0; index < 200; index++) log.write(`line ${index}`);
	expect(statSync(file).size).toBeLessThan(1100);
	expect(statSync(`${file}.1`).size).toBeLessThan(1100);
	const all = readFileSync(`${file}.1`, 'utf8') + readFileSync(file, 'utf8');
	expect(all.trimEnd().split('\n').at(-1)).toMatch(/Z line 199$/);
	// Node itself writes here when it dies, through a descriptor of its own.
	appendFileSync(file, 'fatal\n');
	log.write('after');
	log.close();
	expect(lastLines(file, 2)).toEqual(['fatal', expect.stringMatching(/after$/)]);
	expect(statSync(file).mode & 0o077).toBe(0);
});

test('the log that was long before is bounded too, and one that is missing has no lines', () => {
	const file = path.join(home, 'daemon.log');
	writeFileSync(file, 'x'.repeat(5000));
	const log = openDaemonLog(file, 1000);
	log.write('new');
	log.close();
	expect(statSync(file).size).toBeLessThan(100);
	expect(existsSync(`${file}.1`)).toBe(true);
	expect(lastLines(path.join(home, 'missing'), 3)).toEqual([]);
});

test('a daemon inherits what it needs and nothing of a terminal', () => {
	const environment = daemonEnvironment({
		PATH: '/bin',
		HOME: '/home/kim',
		DROVER_HOME: '/data',
		XDG_RUNTIME_DIR: '/run/user/1',
		LANG: 'C.UTF-8',
		TERM: 'xterm',
		COLUMNS: '80',
		SSH_AUTH_SOCK: '/tmp/agent',
		TMUX_PANE: '1',
		npm_lifecycle_event: 'start',
		PWD: '/somewhere',
	});
	expect(environment).toEqual({
		PATH: '/bin',
		HOME: '/home/kim',
		DROVER_HOME: '/data',
		XDG_RUNTIME_DIR: '/run/user/1',
		LANG: 'C.UTF-8',
		PWD: '/',
		DROVER_READY_FD: '3',
	});
});
