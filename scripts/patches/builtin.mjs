// Part of the bundle: see `lazyBuiltins` and `importBuiltinsAsTheyAre` in plugins.mjs.
globalThis.droverBuiltins = new WeakSet();

/** One of Node's own modules, loaded now. */
export function builtin(name) {
	const module = process.getBuiltinModule(name);
	globalThis.droverBuiltins.add(module);
	return module;
}
