import {copyFile, mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';

/** Where each kernel module is, below the kernel's module directory, by its name with underscores. */
export type ModuleIndex = ReadonlyMap<string, string>;

export function moduleName(file: string): string {
	return path.basename(file).replace(/\.ko$/, '').replaceAll('-', '_');
}

export async function indexModules(directory: string): Promise<ModuleIndex> {
	const index = new Map<string, string>();
	for (const entry of await readdir(directory, {recursive: true})) {
		if (entry.endsWith('.ko')) index.set(moduleName(entry), entry);
	}
	return index;
}

/** The modules a module file asks for, from its `.modinfo` section: `depends=virtio,virtio_ring`. */
export function moduleDependencies(file: Buffer): string[] {
	const start = file.indexOf('\0depends=', 0, 'latin1');
	if (start < 0) return [];
	const from = start + '\0depends='.length;
	return file
		.toString('latin1', from, file.indexOf(0, from))
		.split(',')
		.filter(name => name !== '')
		.map(moduleName);
}

/**
 * Copies modules with all they depend on, and writes the `modules.dep` that modprobe reads (the kernel's package has
 * none). Names that this kernel does not have, or has built in, are left out.
 */
export async function installModules(
	directory: string,
	index: ModuleIndex,
	wanted: readonly string[],
	destination: string,
): Promise<void> {
	const direct = new Map<string, string[]>();
	const visit = async (name: string): Promise<void> => {
		const file = index.get(name);
		if (file === undefined || direct.has(name)) return;
		const needs = moduleDependencies(await readFile(path.join(directory, file))).filter(need => index.has(need));
		direct.set(name, needs);
		for (const need of needs) await visit(need);
	};
	for (const name of wanted) await visit(moduleName(name));
	const lines: string[] = [];
	for (const name of direct.keys()) {
		const file = index.get(name)!;
		await mkdir(path.join(destination, path.dirname(file)), {recursive: true});
		await copyFile(path.join(directory, file), path.join(destination, file));
		lines.push(
			`${file}: ${loadOrder(name, direct)
				.map(need => index.get(need)!)
				.join(' ')}`.trimEnd(),
		);
	}
	await mkdir(destination, {recursive: true});
	await writeFile(path.join(destination, 'modules.dep'), `${lines.join('\n')}\n`);
}

/** All that a module needs, each after those that need it: the order in which depmod writes them. */
export function loadOrder(name: string, direct: ReadonlyMap<string, readonly string[]>): string[] {
	const order: string[] = [];
	const visit = (module: string) => {
		for (const need of direct.get(module) ?? []) {
			// A need that is met again moves to the end: it must be loaded before everything that asked for it.
			const at = order.indexOf(need);
			if (at >= 0) order.splice(at, 1);
			order.push(need);
			visit(need);
		}
	};
	visit(name);
	return order;
}
