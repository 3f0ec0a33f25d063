// Bundles drover: `node scripts/build.mjs [--entry FILE [--late MODULE]...] [--out DIRECTORY] [--no-minify] [--quiet]`.
// Runs on Node 20 and later; what it makes runs on the Node that package.json brings along.
import {createHash} from 'node:crypto';
import {mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import process from 'node:process';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';
import {Script} from 'node:vm';
import * as esbuild from 'esbuild';
import {patches} from './patches/patches.mjs';
import {importBuiltinsAsTheyAre, lazyBuiltins, leaveOut, patchPackages, scriptsAsText} from './patches/plugins.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Stands for the build's id until the file's content, of which it is made, is known. Same length as the id. */
const placeholder = 'drover-build-id_';

/** What only the dashboard and the daemon need, as `source/cli.tsx` imports it: not in the program for commands. */
const seldom = ['./components/run-dashboard.tsx', './protocol/daemon.ts'];

/**
 * Makes three files. `drover.js` runs one of two programs and keeps its compiled code for the next start. Each program
 * is whole in one file: `command.js` for commands, which are called often and must start quickly, and `all.js`. Whole,
 * because a daemon runs for long: a file that it has yet to load may be gone, or another one, after an upgrade.
 * Modules that are reached only by `import()` are wrapped, and run when they are reached.
 * @param {{entry?: string, directory?: string, minify?: boolean, late?: readonly string[]}} options
 *   `late`: what the entry imports that is not in `command.js`
 * @returns {Promise<{bytes: number, buildId: string, applied: Set<string>, inputs: Record<'all' | 'command', string[]>}>}
 * @throws Error with a sentence for a person
 */
export async function build({
	entry = join(root, 'source/cli.tsx'),
	directory = join(root, 'dist'),
	minify = true,
	late = seldom,
} = {}) {
	const {version} = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
	const applied = new Set();
	const leftOut = new Set();
	const [all, command] = await Promise.all([
		bundle({entry, version, minify, plugins: [lazyBuiltins, scriptsAsText, patchPackages(applied)]}),
		bundle({
			entry,
			version,
			minify,
			plugins: [leaveOut(late, leftOut), lazyBuiltins, scriptsAsText, patchPackages(new Set())],
		}),
	]);
	checkPatches(all.inputs, applied);
	const lost = late.filter(path => !leftOut.has(path));
	if (lost.length > 0) throw new Error(`${entry} no longer imports ${lost.join(', ')}. Adapt scripts/build.mjs.`);

	const buildId = createHash('sha256')
		.update(all.text + command.text)
		.digest('hex')
		.slice(0, placeholder.length);
	const start = await readFile(join(root, 'scripts/patches/start.mjs'), 'utf8');
	const files = {
		'all.js': all.text,
		'command.js': command.text,
		// Last: it stands for the whole, and its age tells when drover was built.
		'drover.js': start,
	};
	await rm(join(directory, 'code'), {recursive: true, force: true});
	await mkdir(directory, {recursive: true});
	let bytes = 0;
	for (const [name, text] of Object.entries(files)) {
		const content = text.replaceAll(placeholder, buildId);
		await replaceFile(join(directory, name), content);
		bytes += content.length;
	}
	return {bytes, buildId, applied, inputs: {all: all.inputs, command: command.inputs}};
}

async function bundle({entry, version, minify, plugins}) {
	const result = await esbuild.build({
		absWorkingDir: root,
		entryPoints: [resolve(entry)],
		bundle: true,
		write: false,
		metafile: true,
		outdir: 'dist',
		platform: 'node',
		format: 'esm',
		target: 'node24',
		jsx: 'automatic',
		minify,
		legalComments: 'none',
		charset: 'ascii',
		logLevel: 'silent',
		define: {
			// React's development build costs 2.5 times the processor time a frame.
			'process.env.NODE_ENV': '"production"',
			'Intl.Segmenter': 'QuickSegmenter',
			// Native helpers of ws that are packages of their own: what crosses the socket is small.
			'process.env.WS_NO_BUFFER_UTIL': '"1"',
			'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
			'globalThis.droverBuild': JSON.stringify({version, id: placeholder}),
		},
		inject: [join(root, 'scripts/patches/builtin.mjs'), join(root, 'scripts/patches/quick-segmenter.mjs')],
		nodePaths: [join(root, 'node_modules')],
		plugins,
	});
	const text = importBuiltinsAsTheyAre(result.outputFiles[0].text);
	checkAlone(text, result.metafile);
	// A script and not a module, because only of a script V8 gives out the code of the functions that were used.
	const script = `(async()=>{"use strict";${text}})\n//${placeholder}\n`;
	// What does not even compile must not take the place of a program that works. Older versions do not know all of it.
	if (Number.parseInt(process.versions.node, 10) >= 24) new Script(script);
	return {text: script, inputs: Object.keys(result.metafile.inputs)};
}

/** What only modules have would be an error when the program runs; here it is one when it is built. */
function checkAlone(text, metafile) {
	const outside = Object.values(metafile.outputs).flatMap(({imports}) => imports.map(({path}) => path));
	if (outside.length > 0) {
		throw new Error(`The program would need ${[...new Set(outside)].join(', ')} beside it, but it must stand alone.`);
	}
	const exported = Object.values(metafile.outputs).flatMap(({exports}) => exports);
	if (exported.length > 0) throw new Error(`The entry exports ${exported.join(', ')}, but nobody can import it.`);
	const [found] = /\bimport\.meta\b|\bimport\(|\bIntl\.Segmenter\b/.exec(text) ?? [];
	if (found !== undefined) {
		throw new Error(`The program contains \`${found}\`, which cannot be bundled; see bundle() in scripts/build.mjs.`);
	}
}

function checkPatches(inputs, applied) {
	const hasInk = inputs.some(path => /(^|\/)node_modules\/ink\//.test(path));
	const lost = patches.filter(({name}) => !applied.has(name)).map(({name}) => name);
	if (hasInk && lost.length > 0) {
		throw new Error(`No file was found any more for the patch ${lost.join(', ')}. Adapt it in scripts/patches.`);
	}
}

/** Written aside and renamed: whoever starts drover meanwhile gets the old file or the new one, never a part. */
async function replaceFile(path, text) {
	const aside = `${path}.${process.pid}.tmp`;
	try {
		await writeFile(aside, text, {flush: true});
		await rename(aside, path);
	} catch (error) {
		await rm(aside, {force: true});
		throw error;
	}
}

async function main() {
	const {values} = parseArgs({
		options: {
			entry: {type: 'string'},
			late: {type: 'string', multiple: true},
			out: {type: 'string'},
			'no-minify': {type: 'boolean', default: false},
			quiet: {type: 'boolean', default: false},
		},
	});
	const began = performance.now();
	const {bytes, buildId} = await build({
		...(values.entry === undefined ? {} : {entry: values.entry, late: values.late ?? []}),
		...(values.out === undefined ? {} : {directory: resolve(values.out)}),
		minify: !values['no-minify'],
	});
	if (values.quiet) return;
	console.log(
		`built drover: ${Math.round(bytes / 1024)} KiB, id ${buildId}, ${Math.round(performance.now() - began)} ms`,
	);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
	try {
		await main();
	} catch (error) {
		const messages = error.errors?.map(({text, location}) =>
			location ? `${location.file}:${location.line}: ${text}` : text,
		);
		console.error(`drover could not be built: ${messages?.join('\n') ?? error.message}`);
		process.exitCode = 1;
	}
}
