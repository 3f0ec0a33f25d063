import {spawn} from 'node:child_process';
import process from 'node:process';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {causeText} from '../../model/errors.ts';
import {Fence} from '../sftp/server/fence.ts';
import {IdMaps} from '../sftp/server/id-maps.ts';
import {serveSftp} from '../sftp/server/serve.ts';
import {type MountOrder, type MountReport, type MountSettings, readSettings} from './control.ts';
import {mark} from './scripts.ts';

/** Bytes of what `ssh` and the guest complain of that are kept. */
const mostComplaint = 4096;
/** Milliseconds between two looks whether the directory is still there. */
const lookEveryMs = 1000;
/** Milliseconds that sshfs may take to unmount when its connection ends; then `ssh` is ended. */
const endingMs = 4000;
/** Milliseconds that last words are waited for. */
const lastWordsMs = 300;

/**
 * The process that shows one directory to one guest, until either side ends. It is a process of its own, so that a disk
 * that does not answer holds up this mount and nothing else, and so that what a guest sends is taken apart where there
 * is nothing to be had but that directory. It ends with whoever started it: its standard input is the line to it.
 * @returns the exit code
 */
export async function serveMount(): Promise<number> {
	// What the guest makes has the permissions that the guest says.
	process.umask(0);
	process.on('SIGINT', () => {});
	// Whoever listened is gone; that shows on standard input as well.
	process.stdout.on('error', () => {});
	const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
	const first = await lines.next();
	const settings = first.done ? undefined : readSettings(first.value);
	if (settings === undefined) {
		report({event: 'ended', complaint: 'drover was upgraded meanwhile: its daemon is of another version'});
		return 1;
	}
	const fence = new Fence(settings.source);
	watchSource(fence);
	const session = begin(settings, fence);
	void obey(lines, session);
	const {code, complaint} = await session.ended;
	report({event: 'ended', complaint, ...(code === undefined ? {} : {code})});
	return 0;
}

/** Follows orders until there are no more. */
async function obey(lines: AsyncIterator<string>, session: {end(): void}): Promise<void> {
	for (let line = await lines.next(); !line.done; line = await lines.next()) {
		const order = line.value as MountOrder;
		if (order === 'ping') report({event: 'pong'});
		if (order === 'end') session.end();
	}
	session.end();
}

function report(what: MountReport): void {
	process.stdout.write(`${JSON.stringify(what)}\n`);
}

function watchSource(fence: Fence): void {
	let last: string | undefined;
	const look = () => {
		const problem = fence.refresh();
		if (problem === last) return;
		last = problem;
		report({event: 'source', ...(problem === undefined ? {} : {problem})});
	};
	look();
	setInterval(look, lookEveryMs).unref();
}

type End = {readonly code: number | undefined; readonly complaint: string};

function begin({ssh, uidMap, gidMap}: MountSettings, fence: Fence): {ended: Promise<End>; end(): void} {
	const child = spawn('ssh', ssh, {stdio: ['pipe', 'pipe', 'pipe']});
	if (child.pid !== undefined) report({event: 'begun', ssh: child.pid});
	const complaint = readComplaint(child.stderr, () => report({event: 'mounted'}));
	let trouble = '';
	const service = serveSftp({
		fence,
		owners: {users: new IdMaps(uidMap), groups: new IdMaps(gidMap)},
		input: child.stdout,
		output: child.stdin,
	});
	let timer: NodeJS.Timeout | undefined;
	const end = () => {
		// sshfs unmounts when it has no more to read; what does not do so is left to the guest's own devices.
		child.stdin.end();
		timer ??= setTimeout(() => child.kill('SIGKILL'), endingMs);
	};
	service.ended.then(end, error => {
		trouble = `what it sent is not SFTP: ${causeText(error)}`;
		end();
	});
	const ended = new Promise<End>(resolve => {
		child.once('error', error => resolve({code: undefined, complaint: causeText(error)}));
		child.once('exit', code => {
			// Its last words may still be on the way; what it holds open elsewhere is not waited for.
			const tell = () => resolve({code: code ?? undefined, complaint: trouble || complaint.text()});
			void complaint.isWhole.then(tell);
			setTimeout(tell, lastWordsMs);
		});
	}).finally(() => {
		clearTimeout(timer);
		service.close();
		fence.close();
	});
	return {ended, end};
}

/** What is complained of, apart from the word that it is mounted. */
function readComplaint(stream: Readable, onMounted: () => void): {text(): string; isWhole: Promise<void>} {
	let text = '';
	const lines = createInterface({input: stream});
	lines.on('line', line => {
		if (line === `${mark}mounted`) onMounted();
		else if (text.length < mostComplaint) text += `${line.slice(0, 1000)}\n`;
	});
	return {text: () => text.trim(), isWhole: new Promise(resolve => lines.once('close', resolve))};
}
