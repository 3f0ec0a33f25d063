import {PassThrough} from 'node:stream';
import {expect, test} from 'vitest';
import {type Channel, SftpClient} from '../../../source/guest/sftp/client.ts';
import {Reader, types, Unpacker, Writer} from '../../../source/guest/sftp/packets.ts';
import type {DroverError} from '../../../source/model/errors.ts';

/** A server that greets with these names, and tells these limits when it is asked. */
function serverWith(extensions: readonly string[], answer: (id: number) => Buffer): Channel & {asked: string[]} {
	const [stdin, stdout] = [new PassThrough(), new PassThrough()];
	const unpacker = new Unpacker();
	const asked: string[] = [];
	stdin.on('data', (chunk: Buffer) => {
		unpacker.push(chunk);
		for (let message = unpacker.next(); message !== undefined; message = unpacker.next()) {
			const reader = new Reader(message);
			if (reader.byte() === types.init) {
				const greeting = new Writer(types.version).number(3);
				for (const name of extensions) greeting.bytes(name).bytes('1');
				stdout.write(greeting.end());
				continue;
			}
			const id = reader.number();
			asked.push(reader.text());
			stdout.write(answer(id));
		}
	});
	return {stdin, stdout, asked, ended: new Promise<DroverError>(() => {}), close() {}};
}

const limits = (read: bigint, write: bigint) => (id: number) => {
	const reply = new Writer(types.extendedReply).number(id);
	for (const value of [262_144n, read, write, 0n])
		reply.number(Number(value >> 32n)).number(Number(value & 0xff_ff_ff_ffn));
	return reply.end();
};

test.each([
	['as it tells', 100_000n, 50_000n, {read: 100_000, write: 50_000}],
	['no more than a message has room for', 2n ** 40n, 0n, {read: 261_120, write: 261_120}],
	['no less than every server takes', 1n, 32_000n, {read: 32_768, write: 32_768}],
])('requests are as large %s', async (_, read, write, expected) => {
	const channel = serverWith(['posix-rename@openssh.com', 'limits@openssh.com'], limits(read, write));
	const client = await SftpClient.open(channel);
	expect(client.limits).toEqual(expected);
	expect(channel.asked).toEqual(['limits@openssh.com']);
	client.close();
});

test('a server that does not know of limits is not asked, and one that then refuses is no error', async () => {
	const usual = {read: 32_768, write: 32_768};
	const plain = serverWith([], limits(1n, 1n));
	expect((await SftpClient.open(plain)).limits).toEqual(usual);
	expect(plain.asked).toEqual([]);
	const refusing = serverWith(['limits@openssh.com'], id =>
		new Writer(types.status).number(id).number(8).bytes('no').bytes('').end(),
	);
	expect((await SftpClient.open(refusing)).limits).toEqual(usual);
	const cut = serverWith(['limits@openssh.com'], id => new Writer(types.extendedReply).number(id).number(1).end());
	await expect(SftpClient.open(cut)).rejects.toMatchObject({code: 'guest.failed'});
});
