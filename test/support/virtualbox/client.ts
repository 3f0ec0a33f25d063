// The stand-in's VBoxManage: hands its arguments to the service, which it starts where there is none, as the real one does.
import {spawn} from 'node:child_process';
import {connect, type Socket} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';

const home = process.env['VBOX_STAND_IN']!;
const args = process.argv.slice(2);

if (args[0] === '--version' || args[0] === '-V') {
	process.stdout.write('7.2.22_Debianr175245\n');
	process.exit(0);
}

function open(): Promise<Socket | undefined> {
	return new Promise(resolve => {
		const socket = connect(path.join(home, 'svc.sock'));
		socket.once('connect', () => resolve(socket));
		socket.once('error', () => resolve(undefined));
	});
}

let socket = await open();
if (socket === undefined) {
	const service = fileURLToPath(new URL('service/main.ts', import.meta.url));
	spawn(process.execPath, [service, home], {detached: true, stdio: 'ignore'}).unref();
}
for (let tries = 0; socket === undefined && tries < 1000; tries++) {
	await new Promise(resolve => setTimeout(resolve, 10));
	socket = await open();
}
if (socket === undefined) throw new Error('the service of the stand-in does not start');

socket.write(`${JSON.stringify(args)}\n`);
let text = '';
for await (const chunk of socket) {
	text += String(chunk);
	const lines = text.split('\n');
	text = lines.pop()!;
	for (const line of lines) {
		const {out = '', err = '', code} = JSON.parse(line) as {out?: string; err?: string; code?: number};
		process.stdout.write(out);
		process.stderr.write(err);
		if (code !== undefined) process.exitCode = code;
	}
}
