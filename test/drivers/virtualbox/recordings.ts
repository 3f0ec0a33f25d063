import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../../recordings/virtualbox');

/** What the real VBoxManage 7.2.22 answered, without its kernel's module: no machine ran. */
export type Recording = {
	readonly name: string;
	readonly command: string;
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
};

function read(file: string): Recording {
	const text = readFileSync(path.join(root, file), 'utf8');
	const [head = '', rest = ''] = text.split('--- stdout\n', 2);
	const at = rest.lastIndexOf('--- stderr\n');
	return {
		name: file.slice(0, -4),
		command: /^\$ ([^\n]*)/.exec(head)![1]!,
		code: Number(/^# exit: (\d+)$/m.exec(head)![1]),
		stdout: rest.slice(0, at),
		stderr: rest.slice(at + '--- stderr\n'.length),
	};
}

export const recordings: readonly Recording[] = readdirSync(root)
	.filter(file => file.endsWith('.txt'))
	.sort()
	.map(read);

/** @param number as its name begins: `024` */
export function recording(number: string): Recording {
	const found = recordings.find(({name}) => name.startsWith(`${number}-`));
	if (!found) throw new Error(`there is no recording ${number}`);
	return found;
}

/** The same as Windows ends its lines. */
export function crlf(text: string): string {
	return text.replaceAll('\n', '\r\n');
}
