import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {onTestFinished} from 'vitest';
import type {ImageWork} from '../../source/images/image.ts';

export type RecordedWork = ImageWork & {
	readonly stages: string[];
	readonly percents: number[];
	readonly lines: string[];
	cancel(): void;
};

/** Work that remembers what it was told. */
export function recordedWork(onProgress?: (work: RecordedWork) => void): RecordedWork {
	const abort = new AbortController();
	const work: RecordedWork = {
		signal: abort.signal,
		stages: [],
		percents: [],
		lines: [],
		progress(stage, percent) {
			work.stages.push(stage);
			if (percent !== undefined) work.percents.push(percent);
			onProgress?.(work);
		},
		log: line => work.lines.push(line),
		cancel: () => abort.abort(),
	};
	return work;
}

/** A directory of the test's own. */
export function temporaryDirectory(): string {
	const directory = mkdtempSync(path.join(tmpdir(), 'drover-images-'));
	onTestFinished(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
}

/** A raw disk: boot sector, then content that differs from seed to seed, then a hole. */
export function rawDisk(file: string, size = 1024 * 1024, seed = 1): Buffer {
	const data = Buffer.alloc(size);
	for (let at = 512; at < size / 2; at += 4) data.writeUInt32LE((at * 2_654_435_761 + seed) >>> 0, at);
	data.set([0x55, 0xaa], 510);
	writeFileSync(file, data);
	return data;
}

export function qemuImg(...arguments_: string[]): void {
	execFileSync('qemu-img', arguments_, {stdio: ['ignore', 'ignore', 'pipe']});
}

/** A small qcow2 image with some content. */
export function qcow2Disk(file: string, seed = 1): void {
	rawDisk(`${file}.raw`, 1024 * 1024, seed);
	qemuImg('convert', '-f', 'raw', '-O', 'qcow2', `${file}.raw`, file);
	rmSync(`${file}.raw`);
}
