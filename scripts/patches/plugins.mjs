import {readFile} from 'node:fs/promises';
import {builtinModules} from 'node:module';
import {dirname, join} from 'node:path';
import {patches} from './patches.mjs';

const builtinNames = new Set(builtinModules);

/**
 * Node's own modules become small modules of the bundle. As `import` statements they would all be hoisted to the top
 * of the file and be loaded at every start, also those of parts that are never reached (`node:http` alone: 31 ms).
 * This way each is loaded when the first module that imports it is.
 */
export const lazyBuiltins = {
	name: 'lazy-builtins',
	setup(build) {
		build.onResolve({filter: /^[a-z_:/0-9]+$/}, ({path}) => {
			if (!path.startsWith('node:') && !builtinNames.has(path)) return undefined;
			return {path: path.replace(/^node:/, ''), namespace: 'builtin'};
		});
		build.onLoad({filter: /.*/, namespace: 'builtin'}, ({path}) => ({
			contents: `module.exports = builtin(${JSON.stringify(`node:${path}`)});`,
			loader: 'js',
		}));
	},
};

/**
 * The helper with which esbuild lets a CommonJS module be imported copies all its properties. Of Node's own modules
 * some are made when they are first looked at: to copy `node:util` loads a dozen more (7 ms). What is imported from
 * these is therefore looked up in the module itself, when it is used.
 */
export function importBuiltinsAsTheyAre(text) {
	if (!text.includes('droverBuiltins')) return text;
	const helper =
		/(\b[\w$]+ ?= ?)\((\w+), ?(\w+), ?(\w+)\) ?=> ?\((?=\4 ?= ?\2 ?!= ?null ?\? ?[\w$]+\([\w$]+\(\2\)\) ?: ?\{\},)/g;
	const found = [...text.matchAll(helper)];
	if (found.length !== 1) {
		throw new Error(
			`esbuild's helper __toESM was found ${found.length} times, not once. Adapt scripts/patches/plugins.mjs.`,
		);
	}
	return text.replace(
		helper,
		'$1($2,$3,$4)=>globalThis.droverBuiltins?.has($2)?Object.create($2,{default:{value:$2}}):(',
	);
}

/**
 * Leaves modules that an entry imports late out of a bundle; where one is reached after all, the whole program, which
 * is beside it, takes over, until it ends the process. What was left out is noted in `leftOut`.
 */
export function leaveOut(late, leftOut) {
	return {
		name: 'leave-out',
		setup(build) {
			build.onResolve({filter: /.*/}, ({path, kind}) => {
				if (kind !== 'dynamic-import' || !late.includes(path)) return undefined;
				leftOut.add(path);
				return {path, namespace: 'left-out'};
			});
			build.onLoad({filter: /.*/, namespace: 'left-out'}, () => ({
				contents: 'await globalThis.droverWhole(); await new Promise(() => {});',
				loader: 'js',
			}));
		},
	};
}

/** Applies the patches and notes which were, in `applied`. A patch that does not fit ends the build. */
export function patchPackages(applied) {
	return {
		name: 'patch-packages',
		setup(build) {
			for (const patch of patches) {
				build.onLoad({filter: patch.filter}, async ({path}) => {
					const source = await readFile(path, 'utf8');
					try {
						const contents = patch.apply(source);
						applied.add(patch.name);
						return {contents, loader: 'js'};
					} catch (error) {
						const text = `The patch ${patch.name} does not fit ${path} any more: ${error.message}. Adapt it in scripts/patches.`;
						return {errors: [{text}]};
					}
				});
			}
		},
	};
}

/**
 * The script for Hyper-V is a file of its own beside the module that reads it. In a program that is whole in one file the
 * module has the text itself.
 */
export const scriptsAsText = {
	name: 'scripts-as-text',
	setup(build) {
		build.onLoad({filter: /[\\/]hyperv[\\/]script-text\.ts$/}, async ({path}) => {
			const script = await readFile(join(dirname(path), 'hyperv.ps1'), 'utf8');
			return {contents: `export const scriptText = ${JSON.stringify(script)};`, loader: 'js'};
		});
	},
};
