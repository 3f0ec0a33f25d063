// Bundles drover into one file: `node scripts/build.mjs [--entry FILE] [--out FILE] [--no-minify] [--quiet]`.
// Runs on Node 20 and later; what it makes runs on the Node that package.json brings along.
import {createHash} from 'node:crypto';
import {mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';
import process from 'node:process';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';
import * as esbuild from 'esbuild';
import {patches} from './patches/patches.mjs';
import {importBuiltinsAsTheyAre, lazyBuiltins, patchPackages} from './patches/plugins.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Stands for the build's id until the file's content, of which it is made, is known. Same length as the id. */
const placeholder = 'drover-build-id_';

/**
 * One file, although parts of it are seldom needed: modules reached only by `import()` are wrapped and run when they
 * are reached, and a daemon that runs from the file is not hurt when an upgrade replaces it (it never reads it again).
 * @returns {Promise<{bytes: number, buildId: string, applied: Set<string>}>}
 * @throws Error with a sentence for a person
 */
export async function build({
	entry = join(root, 'source/cli.tsx'),
	out = join(root, 'dist/drover.js'),
	minify = true,
} = {}) {
	const {version} = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
	const applied = new Set();
	const result = await esbuild.build({
		absWorkingDir: root,
		entryPoints: [resolve(entry)],
		outfile: resolve(out),
		bundle: true,
		write: false,
		metafile: true,
		platform: 'node',
		format: 'esm',
		target: 'node24',
		jsx: 'automatic',
		minify,
		legalComments: 'none',
		charset: 'ascii',
		logLevel: 'silent',
		// React's development build costs 2.5 times the processor time a frame.
		define: {
			'process.env.NODE_ENV': '"production"',
			'Intl.Segmenter': 'QuickSegmenter',
			'globalThis.droverBuild': JSON.stringify({version, id: placeholder}),
		},
		inject: [join(root, 'scripts/patches/builtin.mjs'), join(root, 'scripts/patches/quick-segmenter.mjs')],
		nodePaths: [join(root, 'node_modules')],
		plugins: [lazyBuiltins, patchPackages(applied)],
	});
	const text = importBuiltinsAsTheyAre(result.outputFiles[0].text);
	check(result.metafile, applied, text);
	const buildId = createHash('sha256').update(text).digest('hex').slice(0, placeholder.length);
	const bundle = text.replaceAll(placeholder, buildId);
	await replaceFile(resolve(out), bundle);
	return {bytes: Buffer.byteLength(bundle), buildId, applied};
}

function check(metafile, applied, text) {
	const hasInk = Object.keys(metafile.inputs).some(path => /(^|\/)node_modules\/ink\//.test(path));
	const lost = patches.filter(({name}) => !applied.has(name)).map(({name}) => name);
	if (hasInk && lost.length > 0) {
		throw new Error(`No file was found any more for the patch ${lost.join(', ')}. Adapt it in scripts/patches.`);
	}
	if (text.includes('Intl.Segmenter')) {
		throw new Error('Intl.Segmenter is used in a way that scripts/patches/quick-segmenter.mjs does not replace.');
	}
	const outside = Object.values(metafile.outputs).flatMap(({imports}) => imports.map(({path}) => path));
	if (outside.length > 0) {
		throw new Error(`The bundle would need ${[...new Set(outside)].join(', ')} beside it, but it must stand alone.`);
	}
}

/** Written aside and renamed: whoever starts drover meanwhile gets the old file or the new one, never a part. */
async function replaceFile(path, text) {
	await mkdir(dirname(path), {recursive: true});
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
			out: {type: 'string'},
			'no-minify': {type: 'boolean', default: false},
			quiet: {type: 'boolean', default: false},
		},
	});
	const began = performance.now();
	const {bytes, buildId} = await build({
		...(values.entry === undefined ? {} : {entry: values.entry}),
		...(values.out === undefined ? {} : {out: values.out}),
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
