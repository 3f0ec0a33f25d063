import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {createHash, randomFillSync} from 'node:crypto';
import {once} from 'node:events';
import {closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {ImageCache} from '../../source/images/cache.ts';
import type {Digest} from '../../source/images/digest.ts';
import {download} from '../../source/images/download.ts';
import {defaultTimes} from '../../source/images/http.ts';
import type {ImageWork} from '../../source/images/image.ts';
import {makeAuthority, trust} from '../support/certificates.ts';
import {type Figure, limited, median, milliseconds} from './figures.ts';
import {interleave} from './process-facts.ts';

const size = 300 * 2 ** 20;

/** A download of 300 MiB over https that is compared with its hash, against curl and sha256sum one after the other. */
export async function imageDownload(): Promise<Figure[]> {
	const directory = mkdtempSync(path.join(tmpdir(), 'drover-bench-images-'));
	let server: ChildProcess | undefined;
	try {
		const authority = makeAuthority();
		trust(authority);
		const {key, cert} = authority.issue();
		const file = path.join(directory, 'image');
		const digest = writeRandom(file);
		for (const [name, text] of Object.entries({key, cert, authority: authority.certificate})) {
			writeFileSync(path.join(directory, name), text, {mode: 0o600});
		}
		server = spawn(process.execPath, [fileURLToPath(new URL('file-server.ts', import.meta.url)), directory], {
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		const [line] = (await once(server.stdout!, 'data')) as [Buffer];
		const address = `https://127.0.0.1:${line.toString().trim()}/image`;
		const own = async (wanted: Digest) => {
			const cache = new ImageCache(path.join(directory, 'cache'));
			await cache.prepare();
			const target = path.join(directory, 'downloaded');
			const began = performance.now();
			await download(
				{url: new URL(address), cache, work: quiet, times: defaultTimes, form: 'disk', wanted: {digest: wanted, size}},
				target,
			);
			const took = performance.now() - began;
			rmSync(target);
			return took;
		};
		const byHand = async () => {
			const target = path.join(directory, 'by-hand');
			const began = performance.now();
			execFileSync('curl', ['-sSf', '--cacert', path.join(directory, 'authority'), '-o', target, address]);
			const sum = execFileSync('sha256sum', [target], {encoding: 'utf8'});
			const took = performance.now() - began;
			if (!sum.startsWith(digest.hex)) throw new Error('curl brought something else');
			rmSync(target);
			return took;
		};
		const times = await interleave(7, {own: () => own(digest), byHand});
		const [ours, theirs] = [median(times.own), median(times.byHand)];
		return [
			limited(
				'download and check of 300 MiB over https against curl and sha256sum',
				ours / theirs,
				1.2,
				'x',
				`${milliseconds(ours)}, by hand ${milliseconds(theirs)}; medians of 7 in turn, neither waits for the disk`,
			),
		];
	} finally {
		if (server !== undefined && server.exitCode === null) {
			server.kill('SIGKILL');
			await once(server, 'exit');
		}
		rmSync(directory, {recursive: true, force: true});
	}
}

const quiet: ImageWork = {
	signal: new AbortController().signal,
	progress: () => undefined,
	log: () => undefined,
};

/** Random bytes, with what makes them a disk to who looks at the beginning. */
function writeRandom(file: string): Digest {
	const hash = createHash('sha256');
	const handle = openSync(file, 'w');
	const piece = Buffer.alloc(2 ** 20);
	for (let at = 0; at < size; at += piece.length) {
		randomFillSync(piece);
		if (at === 0) piece.set([0x55, 0xaa], 510);
		hash.update(piece);
		writeSync(handle, piece);
	}
	closeSync(handle);
	return {algorithm: 'sha256', hex: hash.digest('hex')};
}
