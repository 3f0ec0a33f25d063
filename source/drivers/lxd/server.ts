import process from 'node:process';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import type {DriverHealth, SettingReader} from '../driver.ts';
import {asObject} from '../machine/json.ts';
import {LxdClient} from './client.ts';
import {isForbidden, LxdError} from './errors.ts';
import {type Found, findSocket, flavourOf, installedProgram, socketCandidates} from './find-server.ts';
import {remoteEndpoint, remoteHealth} from './remote.ts';
import {flavourTitles, looseLimits, machineReason, parseFacts, type ServerFacts} from './server-facts.ts';

/** A server that can be used. */
export type Server = {
	readonly client: LxdClient;
	readonly facts: ServerFacts;
	/** Why it runs no virtual machines, in its own words. */
	readonly noMachines?: string;
	/** The projects that this user may use; absent: all there are, and new ones. */
	readonly only?: readonly string[];
	/** Limits it does not hold containers to. */
	readonly loose: readonly string[];
	/** `https://host:8443`; empty for the one on this host. */
	readonly remote: string;
};

type Verdict = {readonly server: Server} | {readonly health: Omit<DriverHealth, 'checkedAt'>};

/** A good verdict holds until the connection is lost; a bad one is asked for anew after so long. */
const badVerdictMs = 2000;

/** Finds the server that the settings and the environment name, and says what it is worth. */
export class ServerDesk {
	readonly #setting: SettingReader;
	readonly #directory: string;
	readonly #environment: NodeJS.ProcessEnv;
	#key = '';
	#verdict: Promise<Verdict> | undefined;
	/** The one in use, of the verdict that holds. */
	#server: Server | undefined;
	#at = 0;

	/** @param directory where the client's certificate is kept */
	constructor(setting: SettingReader, directory: string, environment: NodeJS.ProcessEnv = process.env) {
		this.#setting = setting;
		this.#directory = directory;
		this.#environment = environment;
	}

	/** How many requests were made over the connection in use. */
	get requests(): number {
		return this.#server?.client.requests ?? 0;
	}

	close(): void {
		void this.#verdict?.then(verdict => 'server' in verdict && verdict.server.client.close());
	}

	/** @throws DroverError `driver.not-installed`, `driver.unusable` */
	async require(): Promise<Server> {
		const verdict = await this.#look(false);
		if ('server' in verdict) return verdict.server;
		const {installed, summary, remedy} = verdict.health;
		throw new DroverError(
			installed ? 'driver.unusable' : 'driver.not-installed',
			`LXD cannot be used: ${summary.replace(/\.$/, '')}.`,
			{next: remedy},
		);
	}

	/** The connection was lost: whoever asks next looks anew. */
	lost(server: Server): void {
		if (this.#server === server) this.#at = 0;
	}

	async health(again: boolean): Promise<DriverHealth> {
		const verdict = await this.#look(again);
		const checkedAt = this.#at || Date.now();
		return 'server' in verdict
			? {...healthOf(verdict.server, this.#setting('local.lxd.type')), checkedAt}
			: {...verdict.health, checkedAt};
	}

	#look(again: boolean): Promise<Verdict> {
		const key = this.#setting('local.lxd.remote');
		if (again || key !== this.#key || this.#verdict === undefined || this.#at === 0) {
			const before = this.#verdict;
			this.#key = key;
			this.#at = Date.now();
			const verdict = this.#ask(key);
			this.#verdict = verdict;
			this.#server = undefined;
			void before?.then(old => 'server' in old && old.server.client.close());
			void verdict.then(found => {
				if (this.#verdict !== verdict) return;
				if ('server' in found) {
					this.#server = found.server;
					return;
				}
				setTimeout(() => {
					if (this.#verdict === verdict) this.#at = 0;
				}, badVerdictMs).unref();
			});
		}
		return this.#verdict!;
	}

	async #ask(remote: string): Promise<Verdict> {
		try {
			if (remote !== '') return await this.#askRemote(remote);
			const found = await findSocket(socketCandidates(this.#environment));
			if (!('client' in found)) return {health: await socketHealth(found, this.#environment)};
			return {server: {...found, ...(await warningsOf(found.client, found.facts)), remote: ''}};
		} catch (error) {
			return {
				health: {
					installed: true,
					usable: false,
					summary: `the LXD server answers in an unexpected way: ${plainLine((error as Error).message)}`,
				},
			};
		}
	}

	async #askRemote(setting: string): Promise<Verdict> {
		const endpoint = await remoteEndpoint(setting, this.#directory);
		const client = new LxdClient(endpoint);
		try {
			const facts = parseFacts(await client.get('/1.0', undefined, {timeoutMs: 4000}));
			if (facts.isTrusted) {
				return {server: {client, facts, ...(await warningsOf(client, facts)), remote: endpoint.url}};
			}
			client.close();
			return {health: await remoteHealth(endpoint, new LxdError('refused', 'not trusted', {status: 403}))};
		} catch (error) {
			client.close();
			return {health: await remoteHealth(endpoint, error)};
		}
	}
}

/** What it says among its warnings. Who may not read them may not use all of it: behind a restricted socket, from afar. */
async function warningsOf(
	client: LxdClient,
	facts: ServerFacts,
): Promise<Pick<Server, 'noMachines' | 'only' | 'loose'>> {
	let only: readonly string[] | undefined;
	const ask = (path: string) => client.get(path, {recursion: 1}, {timeoutMs: 2500});
	const warnings = await ask('/1.0/warnings').catch(async (error: unknown) => {
		if (isForbidden(error)) only = namesIn(await ask('/1.0/projects'));
	});
	const why = only === undefined ? 'the server says no reason' : 'the server does not tell this user why';
	return {
		loose: looseLimits(warnings),
		...(only === undefined ? {} : {only}),
		...(facts.hasMachines ? {} : {noMachines: machineReason(warnings) ?? why}),
	};
}

function namesIn(list: unknown): string[] {
	return (Array.isArray(list) ? list : []).flatMap(entry => {
		const {name} = asObject(entry);
		return typeof name === 'string' ? [name] : [];
	});
}

/** What a person is told of a server that answers. Pure. */
export function healthOf(server: Server, type: string): Omit<DriverHealth, 'checkedAt'> {
	const {facts, noMachines, only, loose, remote} = server;
	const title = `${flavourTitles[facts.flavour]} ${facts.version}`;
	const limited = only === undefined ? '' : `, limited to ${only.map(plainLine).join(', ') || 'no project'}`;
	const where = `${remote === '' ? '' : ` at ${remote}`}${limited}`;
	const cluster = facts.isClustered ? ', a cluster' : '';
	if (facts.hasMachines) {
		const what = type === 'container' ? 'containers, as local.lxd.type has it' : 'virtual machines';
		return {installed: true, usable: true, version: facts.version, summary: `${title}${where}${cluster}: ${what}`};
	}
	const reason = `virtual machines cannot run there (${noMachines})`;
	return {
		installed: true,
		usable: true,
		version: facts.version,
		summary: `${title}${where}${cluster}: containers only, ${reason}${loose.length === 0 ? '' : `; it holds them to no limits of ${loose.join(' and ')}`}`,
		...(type === 'container'
			? {}
			: {remedy: 'drover set local.lxd.type=container lets launches make containers instead.'}),
	};
}

/** What a person is told where no socket can be used. Source of the remedies: the servers' packages. */
async function socketHealth(
	{problem, path, tried, detail}: Extract<Found, {problem: unknown}>,
	environment: NodeJS.ProcessEnv,
): Promise<Omit<DriverHealth, 'checkedAt'>> {
	const flavour = flavourOf(path, environment);
	const isIncus = flavour === 'incus';
	const title = flavourTitles[flavour];
	const begin = path.startsWith('/var/snap/')
		? 'sudo snap start lxd'
		: `sudo systemctl start ${isIncus ? 'incus' : 'lxd'}`;
	switch (problem) {
		case 'no-right': {
			const group = isIncus ? 'incus-admin' : 'lxd';
			return {
				installed: true,
				usable: false,
				summary: `you have no right to use ${title}: its socket ${plainLine(path)} is for the group ${group}`,
				remedy: `sudo usermod -aG ${group} $USER, then log in again; members of that group are as good as root on this host.`,
			};
		}
		case 'down':
			return {
				installed: true,
				usable: false,
				summary: `${title} is installed, but its daemon is down (nobody listens on ${plainLine(path)})`,
				remedy: begin,
			};
		case 'silent':
			return {
				installed: true,
				usable: false,
				summary: `${title} does not answer on ${plainLine(path)}`,
				remedy: `Its daemon hangs or is very busy; ${begin.replace(' start ', ' restart ')} restarts it, instances go on.`,
			};
		case 'odd':
			return {
				installed: true,
				usable: false,
				summary: `what answers on ${plainLine(path)} is not LXD or Incus (${plainLine(detail)})`,
			};
		case 'absent': {
			const program = await installedProgram(environment);
			if (program === undefined) {
				return {
					installed: false,
					usable: false,
					summary: 'LXD is not installed, nor is Incus',
					remedy:
						'Install one of them: sudo snap install lxd && sudo lxd init --auto, or sudo apt-get install incus (or lxd).',
				};
			}
			const name = flavourTitles[program];
			return {
				installed: true,
				usable: false,
				summary: `${name} is installed but not running: there is no socket at ${tried.slice(0, 4).map(plainLine).join(', ')}`,
				remedy:
					program === 'incus' ? 'sudo systemctl start incus' : 'sudo systemctl start lxd (or: sudo snap start lxd)',
			};
		}
	}
}
