import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';
import {Language, type Node, Parser} from 'web-tree-sitter';

const require = createRequire(import.meta.url);

/** The text of a PowerShell file of this repository, by its path from the root. */
export function readScript(path: string): string {
	return readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
}

let parser: Promise<Parser> | undefined;
const trees = new Map<string, {root: Node; problems: readonly string[]}>();

async function makeParser(): Promise<Parser> {
	await Parser.init();
	const made = new Parser();
	made.setLanguage(await Language.load(require.resolve('tree-sitter-powershell/tree-sitter-powershell.wasm')));
	return made;
}

/** A script as a tree; `problems` are the places that are no PowerShell. */
export async function parseScript(text: string): Promise<{root: Node; problems: string[]}> {
	const known = trees.get(text);
	if (known) return {root: known.root, problems: [...known.problems]};
	parser ??= makeParser();
	const tree = (await parser).parse(text);
	if (!tree) throw new Error('the parser gives no tree');
	const problems = [...nodes(tree.rootNode)]
		.filter(node => node.isError || node.isMissing)
		.map(node => `line ${node.startPosition.row + 1}: ${node.text.slice(0, 60)}`);
	trees.set(text, {root: tree.rootNode, problems});
	return {root: tree.rootNode, problems: [...problems]};
}

/** All nodes, parents before children. */
export function* nodes(node: Node): Generator<Node> {
	yield node;
	for (const child of node.children) if (child) yield* nodes(child);
}

export function ofType(root: Node, ...types: readonly string[]): Node[] {
	return [...nodes(root)].filter(node => types.includes(node.type));
}

export type Call = {
	/** `Hyper-V\Get-VM`. */
	readonly name: string;
	/** Without the dash. */
	readonly parameters: readonly string[];
	/** Values that no parameter is named for. */
	readonly hasLoose: boolean;
	readonly line: number;
};

/** Every command that is called, in the order of the text. */
export function calls(root: Node): Call[] {
	return ofType(root, 'command').map(command => {
		const elements = command.namedChildren.find(child => child?.type === 'command_elements');
		const parts = (elements?.namedChildren ?? []).filter(child => child && child.type !== 'command_argument_sep');
		const parameters = parts.filter(part => part?.type === 'command_parameter').map(part => part!.text.slice(1));
		// The value of a switch is none: those of this script have none with a colon.
		let hasLoose = false;
		let isValue = false;
		for (const part of parts) {
			if (part?.type === 'command_parameter') isValue = true;
			else if (isValue) isValue = false;
			else if (!part?.text.startsWith('@settings')) hasLoose = true;
		}
		const name = command.namedChildren.find(child => child?.type.startsWith('command_name'))?.text ?? command.text;
		return {name, parameters, hasLoose, line: command.startPosition.row + 1};
	});
}

/** Names of the functions a script has. */
export function functions(root: Node): string[] {
	return ofType(root, 'function_name').map(node => node.text);
}
