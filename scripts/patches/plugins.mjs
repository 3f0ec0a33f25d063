import {readFile} from 'node:fs/promises';
import {builtinModules} from 'node:module';
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
			contents:
				path === 'process'
					? 'module.exports = process;'
					: `module.exports = process.getBuiltinModule(${JSON.stringify(`node:${path}`)});`,
			loader: 'js',
		}));
	},
};

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
