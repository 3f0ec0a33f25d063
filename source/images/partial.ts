import {createReadStream} from 'node:fs';
import {mkdir, readFile, rename, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {mebibyte} from '../model/sizes.ts';
import {thisSystem} from '../platform/system.ts';
import {writeAtomic} from '../state/atomic.ts';
import type {Hashes} from './digest.ts';

/** By what one sees that what a server has is still the same. */
export type Validators = Readonly<Record<string, string>>;

/** A download that was begun: its length, where it came from, and as what. */
export type Begun = {
	/** Bytes that are there. */
	readonly size: number;
	readonly url: string;
	readonly validators: Validators;
	/** Whether all its bytes are as they were written: after a power cut the end of a file may be zeros. */
	readonly isSound: boolean;
};

/** Where the parts of interrupted downloads are kept. */
export function partialsDirectory(root: string): string {
	return path.join(root, 'partial');
}

/** The file a download grows in, kept from one process to the next, with a note beside it of what it is part of. */
export class Partial {
	readonly file: string;
	readonly #note: string;

	/** @param name a file name that stands for what is downloaded */
	constructor(root: string, name: string) {
		this.file = path.join(partialsDirectory(root), `${name}.part`);
		this.#note = `${this.file}.json`;
	}

	async prepare(): Promise<void> {
		await mkdir(path.dirname(this.file), {recursive: true, mode: 0o700});
	}

	/** What is there already; `undefined` when that is nothing one could continue. */
	async read(): Promise<Begun | undefined> {
		try {
			const {size} = await stat(this.file);
			const note: unknown = JSON.parse(await readFile(this.#note, 'utf8'));
			if (size === 0 || typeof note !== 'object' || note === null) return undefined;
			const {url, boot, validators} = note as Record<string, unknown>;
			if (typeof url !== 'string' || typeof validators !== 'object' || validators === null) return undefined;
			const texts = Object.entries(validators).filter(pair => typeof pair[1] === 'string');
			return {
				size,
				url,
				validators: Object.fromEntries(texts) as Validators,
				isSound: boot === ((await thisSystem().bootId()) ?? ''),
			};
		} catch {
			return undefined;
		}
	}

	/** Writes down what the bytes that follow are part of. @throws DroverError `host.*` */
	async describe(url: string, validators: Validators): Promise<void> {
		await writeAtomic(this.#note, JSON.stringify({url, boot: (await thisSystem().bootId()) ?? '', validators}));
	}

	async size(): Promise<number> {
		return (await stat(this.file).catch(() => undefined))?.size ?? 0;
	}

	async hashInto(hashes: Hashes): Promise<void> {
		for await (const chunk of createReadStream(this.file, {highWaterMark: mebibyte})) hashes.update(chunk);
	}

	/** The download is complete: it becomes `target`. */
	async moveTo(target: string): Promise<void> {
		await rename(this.file, target);
		await rm(this.#note, {force: true});
	}

	async remove(): Promise<void> {
		await rm(this.file, {force: true});
		await rm(this.#note, {force: true});
	}
}
