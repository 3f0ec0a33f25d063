import {readFile, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import {expect, test} from 'vitest';
import {causeWords} from '../../source/model/cause-words.ts';

const thrownBy = (act: () => Promise<unknown>) =>
	act().then(
		() => 'nothing',
		error => causeWords(error),
	);

test('what the system refuses is told in words, with the path', async () => {
	expect(await thrownBy(() => readFile('/does/not/exist'))).toBe('/does/not/exist: there is no such file or directory');
	expect(await thrownBy(() => writeFile('/', ''))).toBe('/: it is a directory');
	expect(await thrownBy(() => readFile('/dev/null/x'))).toBe('/dev/null/x: a part of the path is not a directory');
});

test('a path cannot move the cursor', () => {
	const error = Object.assign(new Error('x'), {code: 'EACCES', path: '/a\u001B[2J\nb'});
	expect(causeWords(error)).toBe('/a [2J: permission is denied');
});

test('fetch hides what went wrong, and it is found', async () => {
	const server = createServer();
	await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
	const {port} = server.address() as {port: number};
	await new Promise(resolve => server.close(resolve));
	expect(await thrownBy(() => fetch(`http://127.0.0.1:${port}/x`))).toBe('it refuses the connection');
});

test.each([
	[new DOMException('aborted', 'TimeoutError'), 'it did not answer in time'],
	[Object.assign(new Error('write EXYZ\nmore'), {code: 'EXYZ'}), 'write EXYZ'],
	[new Error('plain'), 'plain'],
	['text', 'text'],
	[null, 'null'],
	[undefined, 'undefined'],
])('%s is told as %s', (error, words) => {
	expect(causeWords(error)).toBe(words);
});
