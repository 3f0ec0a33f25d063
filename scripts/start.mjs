// `npm start` on every platform. Where there is a shell, scripts/start.sh does it all; on Windows, which has none, what it
// would do is done here: npm packages, the built program, the dashboard. Nothing is installed into Windows itself.
import {spawn} from 'node:child_process';
import {copyFileSync, existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath, pathToFileURL} from 'node:url';

/** The oldest Node that has what the program needs (SQLite without a flag). */
const oldest = [22, 13];

/** @param {string} version `v22.13.0` */
export function isNewEnough(version) {
	const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
	return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

/** Whether the packages are those of the lock file. @param {string} root */
export function hasPackages(root) {
	const wanted = read(path.join(root, 'package-lock.json'));
	return ['.drover-run', '.drover-all'].some(mark => read(path.join(root, 'node_modules', mark)) === wanted);
}

/** Whether the program is younger than everything it is made of. @param {string} root */
export function isBuilt(root) {
	const program = path.join(root, 'dist', 'drover.js');
	if (!existsSync(program)) return false;
	const built = statSync(program).mtimeMs;
	const files = [
		'package.json',
		'package-lock.json',
		'scripts/build.mjs',
		...below(root, 'source'),
		...below(root, 'scripts/patches'),
	];
	return files.every(file => statSync(path.join(root, file)).mtimeMs <= built);
}

/**
 * Sets up what is missing in a checkout on Windows. There the program runs on the user's own Node: no package brings one.
 * @param {{root: string, node: string, version: string, npm: string | undefined,
 *   run: (program: string, args: readonly string[]) => Promise<number>, say: (line: string) => void}} host
 *   `npm`: npm's own program, as it tells those it calls
 * @throws Error with a sentence for a person
 */
export async function setUpOnWindows({root, node, version, npm, run, say}) {
	if (!isNewEnough(version)) throw new Error(`Node.js ${oldest.join('.')} or newer is needed, and this is ${version}.`);
	if (!hasPackages(root)) {
		if (npm === undefined) throw new Error('the npm packages are missing: run "npm start" in the checkout.');
		say('Installing npm packages ...');
		const options = [
			'--omit=dev',
			'--ignore-scripts',
			'--no-audit',
			'--no-fund',
			'--loglevel=error',
			'--engine-strict=false',
		];
		if ((await run(node, [npm, 'ci', ...options])) !== 0) {
			throw new Error('the npm packages could not be installed; check the network and try again.');
		}
		copyFileSync(path.join(root, 'package-lock.json'), path.join(root, 'node_modules', '.drover-run'));
	}
	if (!isBuilt(root)) {
		say('Building drover ...');
		if ((await run(node, [path.join(root, 'scripts', 'build.mjs'), '--quiet'])) !== 0) {
			throw new Error('the program could not be built.');
		}
	}
}

function read(file) {
	try {
		return readFileSync(file, 'utf8');
	} catch {
		return undefined;
	}
}

function below(root, directory) {
	return readdirSync(path.join(root, directory), {recursive: true, withFileTypes: true})
		.filter(entry => entry.isFile())
		.map(entry => path.relative(root, path.join(entry.parentPath, entry.name)));
}

/** Runs a program in this one's terminal to its end. @returns its exit code; 128 and more after a signal */
function run(program, args) {
	// What is typed is for the program: Ctrl-C must not end this one first.
	const ignore = () => {};
	process.on('SIGINT', ignore).on('SIGQUIT', ignore);
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {stdio: 'inherit'});
		for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
		child.once('error', reject);
		child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 129)));
	});
}

async function main() {
	const root = fileURLToPath(new URL('..', import.meta.url));
	const words = process.argv.slice(2);
	if (process.platform !== 'win32') {
		const args = [path.join(root, 'scripts', 'start.sh'), ...words];
		// In this one's place, where Node can: then nothing is left that waits.
		process.execve?.('/bin/sh', ['sh', ...args], process.env);
		return run('/bin/sh', args);
	}
	const {execPath, version} = process;
	const say = line => void process.stderr.write(`${line}\n`);
	await setUpOnWindows({root, node: execPath, version, npm: process.env.npm_execpath, run, say});
	return run(execPath, [path.join(root, 'dist', 'drover.js'), ...words]);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
	try {
		process.exitCode = await main();
	} catch (error) {
		process.stderr.write(`drover: ${error.message}\n`);
		process.exitCode = 1;
	}
}
