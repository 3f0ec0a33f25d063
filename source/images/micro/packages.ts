import {mkdir, readdir} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import type {ImageWork} from '../image.ts';
import {lastLine, run, tryRun} from '../run.ts';

/** Unpacked packages. */
export type Packages = {
	/** The directory all of them were unpacked into. */
	readonly root: string;
	/** `6.1.0-37-cloud-amd64`; empty where no kernel was asked for. */
	readonly kernelVersion: string;
};

export type WantedPackages = {
	/** The package whose dependency is the newest kernel. */
	readonly kernel?: string;
	readonly names: readonly string[];
};

/**
 * Downloads the packages the guest is made of, with their signatures checked by apt, and unpacks them. Nothing is
 * installed: apt works on lists of its own below `directory`, so neither root nor apt's lock is needed.
 * @throws DroverError `image.download`, `image.unusable`, `host.failed`, `operation.cancelled`
 */
export async function fetchPackages(directory: string, wanted: WantedPackages, work: ImageWork): Promise<Packages> {
	const apt = await privateApt(directory);
	work.progress('reading package lists');
	const update = await tryRun('apt-get', [...apt, 'update', '-q'], {
		signal: work.signal,
		timeout: 300,
		purpose: 'read the package lists',
	});
	// One of several sources may be away; whether that matters shows when the packages are looked up.
	const updateProblem = update.exitCode === 0 ? '' : problemIn(update.stderr);
	if (updateProblem !== '') work.log(`apt-get update: ${updateProblem}`);
	const {kernel, names} = await resolvePackages(apt, wanted, work, updateProblem);
	work.log(`Packages: ${names.join(' ')}`);
	const debs = path.join(directory, 'debs');
	await mkdir(debs);
	await download(apt, names, debs, work);
	const root = path.join(directory, 'packages');
	await mkdir(root);
	const files = (await readdir(debs)).filter(name => name.endsWith('.deb')).sort();
	for (const [index, file] of files.entries()) {
		work.progress(`unpacking packages ${index + 1} of ${files.length}`, (100 * index) / files.length);
		await run('dpkg-deb', ['-x', path.join(debs, file), root], {signal: work.signal, purpose: 'unpack the packages'});
	}
	return {root, kernelVersion: kernel.replace(/^linux-image-/, '')};
}

async function privateApt(directory: string): Promise<string[]> {
	const lists = path.join(directory, 'apt', 'lists');
	const cache = path.join(directory, 'apt', 'cache');
	await mkdir(path.join(lists, 'partial'), {recursive: true});
	await mkdir(path.join(cache, 'archives', 'partial'), {recursive: true});
	return [
		`Dir::State::Lists=${lists}`,
		`Dir::Cache=${cache}`,
		'Debug::NoLocking=1',
		// As root apt would otherwise download as the user _apt, who cannot write here.
		'APT::Sandbox::User=',
		'Acquire::Languages=none',
		'Acquire::Retries=2',
		'Acquire::http::Timeout=30',
		'Acquire::https::Timeout=30',
		// The lists are searched for packages only.
		'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
		'Acquire::IndexTargets::deb::CNF::DefaultEnabled=false',
		'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false',
	].flatMap(option => ['-o', option]);
}

async function resolvePackages(
	apt: readonly string[],
	wanted: WantedPackages,
	work: ImageWork,
	updateProblem: string,
): Promise<{kernel: string; names: string[]}> {
	const quiet = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(kind => `--no-${kind}`);
	const asked = [...(wanted.kernel === undefined ? [] : [wanted.kernel]), ...wanted.names];
	const answer = await tryRun('apt-cache', [...apt, 'depends', '--recurse', ...quiet, ...asked], {
		signal: work.signal,
		purpose: 'find the packages',
	});
	const graph = parseDependencies(answer.stdout);
	const kernel = wanted.kernel && graph.get(wanted.kernel)?.find(name => /^linux-image-\d[\w.+~-]*$/.test(name));
	const missing = wanted.names.find(name => !graph.has(name)) ?? (kernel === undefined ? wanted.kernel : undefined);
	if (answer.exitCode !== 0 || missing !== undefined) {
		const name = missing ?? asked[0];
		throw new DroverError(
			'image.download',
			updateProblem === ''
				? `The micro image cannot be built: this machine's package sources do not have ${name}, which Debian has.`
				: `The micro image cannot be built: the package lists could not be fetched: ${updateProblem}`,
			{
				next: 'Check /etc/apt/sources.list and the network, or launch from file:///path/to/image.qcow2.',
				...(answer.exitCode === 0 ? {} : {cause: lastLine(answer.stderr)}),
			},
		);
	}
	const names = withLibraries(wanted.names, graph);
	return kernel ? {kernel, names: [kernel, ...names]} : {kernel: '', names};
}

/** The output of `apt-cache depends --recurse`: for each package what it depends on. */
export function parseDependencies(text: string): Map<string, string[]> {
	const graph = new Map<string, string[]>();
	let current: string[] | undefined;
	for (const line of text.split('\n')) {
		const name = /^([a-z\d][a-z\d.+-]*)$/.exec(line)?.[1];
		if (name !== undefined) {
			current = [];
			graph.set(name, current);
			continue;
		}
		const depends = /^[ |]{1,2}(?:Pre)?Depends: ([a-z\d][a-z\d.+-]*)$/.exec(line)?.[1];
		if (depends !== undefined) current?.push(depends);
	}
	return graph;
}

/** Packages with all libraries they need, and nothing else: no maintainer tools, no perl. */
export function withLibraries(names: readonly string[], graph: ReadonlyMap<string, readonly string[]>): string[] {
	const found = new Set(names);
	// A set that grows while it is walked: what is added is walked too.
	for (const name of found) {
		for (const dependency of graph.get(name) ?? []) {
			if (/^(?:lib[a-z\d.+-]*|zlib1g)$/.test(dependency) && !/perl/.test(dependency)) found.add(dependency);
		}
	}
	return [...found];
}

async function download(apt: readonly string[], names: readonly string[], directory: string, work: ImageWork) {
	let percent = 0;
	work.progress(`fetching packages 1 of ${names.length}`, 0);
	const result = await tryRun('apt-get', [...apt, '-q', '-o', 'APT::Status-Fd=3', 'download', ...names], {
		signal: work.signal,
		cwd: directory,
		timeout: 1800,
		purpose: 'fetch the packages',
		onStatus(line) {
			const status = /^dlstatus:(\d+):([\d.]+):/.exec(line);
			if (status === null) return;
			percent = Math.max(percent, Math.min(100, Number(status[2])));
			work.progress(`fetching packages ${status[1]} of ${names.length}`, percent);
		},
	});
	if (result.exitCode !== 0) {
		throw new DroverError('image.download', `The micro image cannot be built: ${problemIn(result.stderr)}`, {
			next: 'Check the network and try again; what was fetched so far is thrown away.',
		});
	}
}

/** The first error apt names, or its last line. */
function problemIn(stderr: string): string {
	const error = stderr.split('\n').find(line => /^(?:E|Err|W):/.test(line)) ?? '';
	return lastLine(error === '' ? stderr : error).replace(/^(?:E|W|Err): */, '') || 'apt-get failed without a reason.';
}
