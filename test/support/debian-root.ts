import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readFile, rename, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {execa} from 'execa';
import {findOnPath} from './find-program.ts';
import {imageCache} from './micro-image.ts';

const unneeded = ['doc', 'man', 'locale', 'info', 'lintian', 'bash-completion'];

export type DebianRoot = {
	/** What its directory's name begins with: `incus`. */
	readonly name: string;
	readonly suite: string;
	/** Beside `main`. */
	readonly components?: readonly string[];
	readonly packages: readonly string[];
};

/**
 * A root directory with packages of another release of Debian than this host's, from the mirror that this host's apt uses.
 * Made once, in about a minute.
 * @returns its path, or why it cannot be had
 */
export async function debianRoot(wanted: DebianRoot): Promise<{readonly root: string} | string> {
	const {name, suite, components, packages} = wanted;
	const recipe = JSON.stringify({suite, packages, unneeded, components});
	const root = path.join(imageCache, `${name}-root-${createHash('sha256').update(recipe).digest('hex').slice(0, 8)}`);
	if (await stat(root).catch(() => undefined)) return {root};
	if (findOnPath('mmdebstrap') === undefined) return 'mmdebstrap is not installed, which makes a root directory for it';
	const mirrors = await debianMirrors(suite, ['main', ...(components ?? [])].join(' '));
	if (mirrors === undefined) return `apt on this host uses no mirror of Debian that could have ${suite}`;
	await mkdir(imageCache, {recursive: true});
	const work = await mkdtemp(path.join(imageCache, `${name}-root.`));
	try {
		const made = path.join(work, 'root');
		const {exitCode, stderr} = await execa(
			'mmdebstrap',
			[
				'--mode=root',
				'--variant=minbase',
				`--include=${packages.join(',')}`,
				'--aptopt=Apt::Install-Recommends "false"',
				// A mirror of what changes every day may be a copy of some weeks ago.
				...(suite === 'sid' ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : []),
				...unneeded.map(each => `--dpkgopt=path-exclude=/usr/share/${each}/*`),
				suite,
				made,
				...mirrors,
			],
			{reject: false, timeout: 10 * 60_000, stdin: 'ignore', env: {TMPDIR: '/tmp', LC_ALL: 'C'}},
		);
		if (exitCode !== 0) {
			const reason = stderr.split('\n').find(line => line.startsWith('E: ')) ?? stderr.slice(-300);
			return `its root directory could not be made: ${reason.replace(/^E: /, '')}`;
		}
		// Another test run may have been quicker.
		await rename(made, root).catch(async (error: unknown) => {
			if (!(await stat(root).catch(() => undefined))) throw error;
		});
		return {root};
	} finally {
		await rm(work, {recursive: true, force: true});
	}
}

/** What this host's apt uses for its own release, as sources for another one; no host is named here. */
async function debianMirrors(suite: string, components: string): Promise<string[] | undefined> {
	const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
	const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
	if (!/^ID=debian$/m.test(release) || codename === undefined) return undefined;
	// Also where the lists have never been read: only the sources are looked at.
	const format = '$(SITE) $(RELEASE)';
	const targets = await execa('apt-get', ['indextargets', '--no-release-info', '--format', format], {reject: false});
	if (targets.exitCode !== 0) return undefined;
	const sites = new Map(
		targets.stdout.split('\n').map(line => {
			const [site = '', name = ''] = line.trim().split(' ');
			return [name, site] as const;
		}),
	);
	const main = sites.get(codename);
	const security = suite === 'sid' ? undefined : sites.get(`${codename}-security`);
	if (main === undefined) return undefined;
	return [
		`deb ${main} ${suite} ${components}`,
		...(security === undefined ? [] : [`deb ${security} ${suite}-security ${components}`]),
	];
}
