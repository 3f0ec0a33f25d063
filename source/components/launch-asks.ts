import {homedir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {readCloudInit} from '../commands/cloud-init.ts';
import {DroverError, errorData} from '../model/errors.ts';
import type {LastLaunch} from '../state/last-launch.ts';
import type {EngineLink} from './engine-link.ts';
import type {Effect, Message} from './store/model.ts';

/** What was filled in last, where that can be kept. */
export type LaunchMemory = {
	readonly read: () => Promise<LastLaunch>;
	readonly write: (values: LastLaunch) => Promise<void>;
};

type FormData = Extract<Message, {type: 'form-data'}>['part'];

/** Milliseconds without a key after which a text counts as typed. */
const pauseMs = 300;

/** What the launch form has to find out, from the engine and on this host. Never throws. */
export class LaunchAsks {
	readonly #link: EngineLink;
	readonly #dispatch: (message: Message) => void;
	readonly #memory: LaunchMemory | undefined;
	readonly #pending = new Map<Effect['type'], NodeJS.Timeout>();

	constructor(options: {link: EngineLink; dispatch: (message: Message) => void; memory?: LaunchMemory | undefined}) {
		this.#link = options.link;
		this.#dispatch = options.dispatch;
		this.#memory = options.memory;
	}

	close(): void {
		for (const timer of this.#pending.values()) clearTimeout(timer);
		this.#pending.clear();
	}

	/** Profiles, templates, and what was launched last. What cannot be had is no choice. */
	loadChoices(): void {
		void this.#tell(async () => {
			const {profiles, problems} = await this.#link.engine.profiles();
			return {profiles, profileProblems: problems};
		});
		void this.#tell(async () => ({templates: await this.#link.engine.templates()}));
		void this.#memory?.read().then(
			values => this.#dispatch({type: 'last-launch', values}),
			() => {},
		);
	}

	/** After a pause in the typing, and only for what was typed last. */
	search({query}: Extract<Effect, {type: 'search-images'}>): void {
		this.#whenQuiet('search-images', async () => {
			const {images} = await this.#link.engine.find({query, showUnsupported: true});
			return {found: {query, images}};
		});
	}

	check({source}: Extract<Effect, {type: 'check-cloud-init'}>): void {
		this.#whenQuiet('check-cloud-init', async () => {
			// An address is asked once, for the launch.
			if (/^https?:\/\//i.test(source)) return {cloudInit: {source, note: 'read when it is launched'}};
			try {
				const text = await cloudInitAt(source);
				const count = text.trimEnd().split('\n').length;
				return {cloudInit: {source, note: `ok, ${count} ${count === 1 ? 'line' : 'lines'}`}};
			} catch (error) {
				const {message} = errorData(error);
				return {cloudInit: {source, problem: message.replace(/^Could not load cloud-init configuration: /, '')}};
			}
		});
	}

	/** What a launch was asked for, for the next one. That it could not be kept spoils nothing. */
	keep(values: LastLaunch): void {
		void this.#memory?.write(values).catch(() => {});
	}

	#whenQuiet(type: Effect['type'], ask: () => Promise<FormData>): void {
		clearTimeout(this.#pending.get(type));
		this.#pending.set(
			type,
			setTimeout(() => {
				this.#pending.delete(type);
				void this.#tell(ask);
			}, pauseMs),
		);
	}

	async #tell(ask: () => Promise<FormData>): Promise<void> {
		try {
			this.#dispatch({type: 'form-data', part: await ask()});
		} catch {
			// The daemon is away: the screen says so already.
		}
	}
}

/** The cloud-config in a file of this host, or at an address. @throws DroverError `usage.invalid` */
export function cloudInitAt(source: string): Promise<string> {
	const isHome = source === '~' || source.startsWith('~/');
	return readCloudInit(isHome ? path.join(homedir(), source.slice(1)) : source, {
		cwd: process.cwd(),
		stdin: {
			isTTY: true,
			read: () => Promise.reject(new DroverError('usage.invalid', 'There is no other input here than this form.')),
			readLine: async () => undefined,
		},
	});
}
