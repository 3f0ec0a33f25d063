import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import * as esbuild from 'esbuild';

/** A program of the tests' own as one file that Node runs. @returns its path, and what removes it */
export async function bundle(entry: string): Promise<{file: string; remove: () => void}> {
	const directory = mkdtempSync(path.join(tmpdir(), 'drover-bundle-'));
	const out = path.join(directory, 'program.mjs');
	await esbuild.build({
		entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
		outfile: out,
		bundle: true,
		platform: 'node',
		format: 'esm',
		jsx: 'automatic',
		logLevel: 'error',
		define: {'process.env.NODE_ENV': '"production"'},
		banner: {js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);"},
		plugins: [
			{
				// Ink imports it only for development, but an import that is bundled is always made.
				name: 'without-devtools',
				setup(build) {
					build.onResolve({filter: /^react-devtools-core$/}, () => ({path: 'nothing', namespace: 'nothing'}));
					build.onLoad({filter: /.*/, namespace: 'nothing'}, () => ({contents: 'export default {}'}));
				},
			},
		],
	});
	return {file: out, remove: () => rmSync(directory, {recursive: true, force: true})};
}
