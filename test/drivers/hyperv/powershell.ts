// biome-ignore-all lint/correctness/noComponentHookFactories: .NET's methods begin with a capital, too
import type {Node} from 'web-tree-sitter';
import {collapse, Hash, pattern, Sim, same, stream, Thrown, text, truth} from './powershell-values.ts';

/*
 * As much of PowerShell as the script for Hyper-V uses, on the tree that `script.ts` makes of it, so that its way from a
 * request to an answer can be gone without one. What is not known here is an error and not passed over. It shows slips of
 * the script (a name, a property, a value that is an array or none); what Windows does is not in it.
 */

export type Named = ReadonlyMap<string, unknown>;
/** A cmdlet: what it is told by name, and what comes in by the pipeline. Everything it gives is put out. */
export type Cmdlet = (named: Named, input: readonly unknown[]) => readonly unknown[];
export type World = {
	readonly cmdlets: Readonly<Record<string, Cmdlet>>;
	/** `[Console]::OpenStandardInput()`, by `Console::OpenStandardInput`. */
	readonly statics: Readonly<Record<string, unknown>>;
	/** `New-Object`, by the type's name. */
	readonly types: Readonly<Record<string, (...args: unknown[]) => unknown>>;
	readonly variables: Readonly<Record<string, unknown>>;
};

type Scope = {readonly variables: Map<string, unknown>; readonly parent?: Scope};
type Block = {readonly kind: 'block'; readonly node: Node};
class Return {}
class Break {}
class Continue {}

export class PowerShell {
	readonly #world: World;
	readonly #functions = new Map<string, Node>();
	readonly #global: Scope = {variables: new Map()};

	constructor(world: World) {
		this.#world = world;
		for (const [name, value] of Object.entries(world.variables)) this.#global.variables.set(name.toLowerCase(), value);
	}

	run(root: Node): unknown[] {
		const output: unknown[] = [];
		this.#all(root, this.#global, output);
		return output;
	}

	#all(node: Node, scope: Scope, output: unknown[]): void {
		for (const child of node.namedChildren) if (child) this.#statement(child, scope, output);
	}

	#statement(node: Node, scope: Scope, output: unknown[]): void {
		const field = (type: string) => node.namedChildren.find(child => child?.type === type) ?? undefined;
		switch (node.type) {
			case 'comment':
			case 'empty_statement':
			case 'param_block':
				return;
			case 'statement_list':
			case 'statement_block':
			case 'script_block':
			case 'script_block_body':
				this.#all(node, scope, output);
				return;
			case 'function_statement':
				this.#functions.set(field('function_name')!.text.toLowerCase(), node);
				return;
			case 'pipeline':
				output.push(...this.#pipeline(node, scope));
				return;
			case 'if_statement':
				this.#if(node, scope, output);
				return;
			case 'foreach_statement': {
				const name = field('variable')!.text.slice(1).toLowerCase();
				// Nothing, unlike an array that has $null in it, is gone through not even once.
				const items = stream(collapse(this.#pipeline(field('pipeline')!, scope))).filter(
					(item, _, all) => all.length > 1 || item !== null || this.#isArray(field('pipeline')!),
				);
				this.#loop(items.values(), item => {
					scope.variables.set(name, item);
					this.#statement(field('statement_block')!, scope, output);
				});
				return;
			}
			case 'while_statement': {
				const condition = () => truth(collapse(this.#pipeline(field('while_condition')!.namedChildren[0]!, scope)));
				const turns = function* () {
					while (condition()) yield undefined;
				};
				this.#loop(turns(), () => this.#statement(field('statement_block')!, scope, output));
				return;
			}
			case 'switch_statement': {
				const value = collapse(this.#pipeline(field('switch_condition')!.namedChildren[0]!, scope));
				for (const clause of field('switch_body')!.namedChildren[0]!.namedChildren) {
					const [condition, block] = clause!.namedChildren;
					const isDefault = condition!.text.trim() === 'default';
					if (!isDefault && !same(value, this.#value(condition!.namedChildren[0]!, scope))) continue;
					this.#statement(block!, scope, output);
					return;
				}
				return;
			}
			case 'try_statement':
				try {
					this.#statement(field('statement_block')!, scope, output);
				} catch (error) {
					if (!(error instanceof Thrown)) throw error;
					scope.variables.set('_', error.record);
					this.#statement(field('catch_clauses')!.namedChildren[0]!.namedChildren[0]!, scope, output);
				}
				return;
			case 'flow_control_statement': {
				const [word] = node.text.split(/\s/);
				const value = field('pipeline');
				if (word === 'break') throw new Break();
				if (word === 'continue') throw new Continue();
				if (word === 'throw') throw new Thrown(collapse(this.#pipeline(value!, scope)));
				if (value) output.push(...this.#pipeline(value, scope));
				throw new Return();
			}
			default:
				throw new Error(`line ${node.startPosition.row + 1}: ${node.type} is not known`);
		}
	}

	/** Whether what is gone through is written as an array: `@($null)` has one element. */
	#isArray(pipeline: Node): boolean {
		return pipeline.text.startsWith('@(');
	}

	#loop(items: Iterator<unknown>, act: (item: unknown) => void): void {
		for (let item = items.next(); !item.done; item = items.next()) {
			try {
				act(item.value);
			} catch (signal) {
				if (signal instanceof Break) return;
				if (!(signal instanceof Continue)) throw signal;
			}
		}
	}

	#if(node: Node, scope: Scope, output: unknown[]): void {
		const holds = (clause: Node) =>
			truth(collapse(this.#pipeline(clause.namedChildren.find(child => child?.type === 'pipeline')!, scope)));
		const run = (clause: Node) =>
			this.#statement(clause.namedChildren.find(child => child?.type === 'statement_block')!, scope, output);
		if (holds(node)) {
			run(node);
			return;
		}
		const others = node.namedChildren.find(child => child?.type === 'elseif_clauses')?.namedChildren ?? [];
		const last = node.namedChildren.find(child => child?.type === 'else_clause');
		const found = others.find(clause => clause && holds(clause)) ?? last;
		if (found) run(found);
	}

	#pipeline(node: Node, scope: Scope): unknown[] {
		const [first] = node.namedChildren;
		if (first!.type === 'assignment_expression') {
			this.#assign(first!, scope);
			return [];
		}
		let values: unknown[] | undefined;
		for (const part of (first!.type === 'pipeline_chain' ? first! : node).namedChildren) {
			values = part!.type === 'command' ? this.#command(part!, scope, values ?? []) : stream(this.#value(part!, scope));
		}
		return values ?? [];
	}

	#assign(node: Node, scope: Scope): void {
		const [left, , right] = node.namedChildren;
		let value: unknown;
		if (right!.type === 'pipeline') value = collapse(this.#pipeline(right!, scope));
		else {
			const output: unknown[] = [];
			this.#statement(right!, scope, output);
			value = collapse(output);
		}
		// An array that is written as one stays one, however many elements it has.
		if (/^@\(/.test(right!.text) && this.#isWhole(right!)) value = stream(value);
		let target = left!;
		while (target.namedChildren.length === 1 && /expression$/.test(target.type)) target = target.namedChildren[0]!;
		if (target.type === 'variable') {
			scope.variables.set(target.text.slice(1).toLowerCase(), value);
			return;
		}
		const [object, key] = target.namedChildren;
		const owner = this.#value(object!, scope);
		const name = target.type === 'member_access' ? key!.text : text(this.#value(key!, scope));
		if (owner instanceof Hash || owner instanceof Sim) owner.set(name, value);
		else throw new Error(`line ${node.startPosition.row + 1}: nothing can be set in ${target.text}`);
	}

	/** Whether an expression is one `@(…)` and nothing else. */
	#isWhole(node: Node): boolean {
		let inner = node;
		while (inner.namedChildren.length === 1 && inner.type !== 'array_expression') inner = inner.namedChildren[0]!;
		return inner.type === 'array_expression';
	}

	#command(node: Node, scope: Scope, input: readonly unknown[]): unknown[] {
		const name = node.namedChildren[0]!.text;
		const parts = (node.namedChildren.find(child => child?.type === 'command_elements')?.namedChildren ?? []).filter(
			child => child!.type !== 'command_argument_sep',
		);
		const named = new Map<string, unknown>();
		const loose: unknown[] = [];
		for (let at = 0; at < parts.length; at++) {
			const part = parts[at]!;
			if (part.type === 'command_parameter') {
				const next = parts[at + 1];
				const hasValue = next !== undefined && next.type !== 'command_parameter' && !next.text.startsWith('@settings');
				const [key, direct] = part.text.slice(1).split(':');
				named.set(
					key!.toLowerCase(),
					direct === undefined ? (hasValue ? this.#argument(next, scope) : true) : direct === '$true',
				);
				if (direct === '') named.set(key!.toLowerCase(), this.#argument(parts[++at]!, scope));
				else if (direct === undefined && hasValue) at++;
			} else if (part.text.startsWith('@') && !part.text.startsWith('@(') && !part.text.startsWith('@{')) {
				const splat = this.#variable(part.text.slice(1), scope) as Hash;
				for (const key of splat.keys) named.set(key.toLowerCase(), splat.get(key));
			} else loose.push(this.#argument(part, scope));
		}
		const mine = this.#functions.get(name.toLowerCase());
		if (mine) return this.#call(mine, loose, scope);
		const at = `line ${node.startPosition.row + 1}`;
		if (loose.length > 0) throw new Error(`${at}: ${name} has a value without a name`);
		switch (name) {
			case 'Where-Object':
				return input.filter(item => truth(collapse(this.#block(named.get('filterscript') as Block, scope, item))));
			case 'ForEach-Object':
				return input.flatMap(item => this.#block(named.get('process') as Block, scope, item));
			case 'Select-Object': {
				if (named.has('first')) return input.slice(0, Number(named.get('first')));
				return input.slice(-Number(named.get('last')));
			}
			case 'New-Object': {
				const make = this.#world.types[String(named.get('typename'))];
				if (!make) throw new Error(`${at}: the type ${named.get('typename')} is not known`);
				return [make(...stream(named.get('argumentlist')))];
			}
		}
		const cmdlet = this.#world.cmdlets[name];
		if (!cmdlet) throw new Error(`${at}: ${name} is not known`);
		try {
			return [...cmdlet(named, input)];
		} catch (error) {
			if (error instanceof Thrown && /^(?:SilentlyContinue|Ignore)$/i.test(text(named.get('erroraction')))) return [];
			throw error;
		}
	}

	#argument(node: Node, scope: Scope): unknown {
		if (node.type === 'generic_token') return node.text;
		const value = this.#value(node, scope);
		return value === undefined ? null : value;
	}

	#block({node}: Block, scope: Scope, item: unknown): unknown[] {
		const before = scope.variables.get('_');
		scope.variables.set('_', item);
		const output: unknown[] = [];
		this.#all(node, scope, output);
		scope.variables.set('_', before);
		return output;
	}

	/** Functions see what their callers have, and what they set themselves ends with them. */
	#call(node: Node, args: readonly unknown[], caller: Scope): unknown[] {
		const scope: Scope = {variables: new Map(), parent: caller};
		const list = node.namedChildren.find(child => child?.type === 'function_parameter_declaration')?.namedChildren[0];
		for (const [index, parameter] of (list?.namedChildren ?? []).entries()) {
			const name = parameter!.namedChildren.at(-1)!.text.slice(1).toLowerCase();
			const value = args[index] ?? null;
			scope.variables.set(name, parameter!.text.startsWith('[string]') ? text(value) : value);
		}
		if (args.length > (list?.namedChildren.length ?? 0))
			throw new Error(`${node.text.split('\n')[0]} is told too much`);
		const output: unknown[] = [];
		try {
			this.#statement(node.namedChildren.at(-1)!, scope, output);
		} catch (signal) {
			if (!(signal instanceof Return)) throw signal;
		}
		return output;
	}

	#variable(name: string, scope: Scope): unknown {
		const key = name.toLowerCase();
		if (key === 'true' || key === 'false') return key === 'true';
		if (key === 'null') return null;
		for (let at: Scope | undefined = scope; at; at = at.parent) if (at.variables.has(key)) return at.variables.get(key);
		throw new Error(`the variable $${name} has no value`);
	}

	/** The value of an expression; an array as one, nothing as `undefined`. */
	#value(node: Node, scope: Scope): unknown {
		const parts = node.namedChildren;
		const sub = (at: number) => this.#value(parts[at]!, scope);
		switch (node.type.replace('_argument_expression', '_expression')) {
			case 'variable':
				return this.#variable(node.text.slice(1), scope);
			case 'string_literal':
				return node.text.startsWith("'")
					? node.text.slice(1, -1).replaceAll("''", "'")
					: node.text.slice(1, -1).replaceAll('`n', '\n');
			case 'integer_literal':
			case 'real_literal':
				return Number(node.text);
			case 'parenthesized_expression':
				return collapse(this.#pipeline(parts[0]!, scope));
			case 'array_expression': {
				const output: unknown[] = [];
				this.#all(node, scope, output);
				return output;
			}
			case 'hash_literal_expression': {
				const hash = new Hash();
				for (const entry of parts[0]?.namedChildren ?? []) {
					const [key, value] = entry!.namedChildren;
					const output: unknown[] = value!.type === 'pipeline' ? this.#pipeline(value!, scope) : [];
					hash.set(key!.text, this.#isWhole(value!) ? output : collapse(output));
				}
				return hash;
			}
			case 'script_block_expression':
				return {kind: 'block', node} satisfies Block;
			case 'cast_expression':
				return cast(parts[0]!.text.slice(1, -1), sub(1));
			case 'member_access':
				return this.#member(node, scope);
			case 'invokation_expression':
				return this.#invoke(node, scope);
			case 'element_access': {
				const [owner, key] = [sub(0), sub(1)];
				if (owner instanceof Hash) return owner.get(text(key));
				if (owner instanceof Sim) return (owner.get('Item') as (key: unknown) => unknown)(key);
				return stream(owner)[Number(key)] ?? null;
			}
			case 'array_literal_expression':
				return parts.length === 1 ? sub(0) : parts.map(part => this.#value(part!, scope) ?? null);
			case 'expression_with_unary_operator':
				return node.text.startsWith('-not') ? !truth(sub(0)) : sub(0);
			case 'logical_expression':
				if (parts.length === 1) return sub(0);
				return /^-and$/.test(node.child(1)!.text) ? truth(sub(0)) && truth(sub(1)) : truth(sub(0)) || truth(sub(1));
			case 'comparison_expression':
				return parts.length === 1 ? sub(0) : compare(sub(0), parts[1]!.text.toLowerCase(), sub(2));
			case 'additive_expression': {
				if (parts.length === 1) return sub(0);
				const [left, right] = [sub(0), sub(1)];
				if (Array.isArray(left)) return [...left, ...stream(right)];
				return typeof left === 'string' ? left + text(right) : Number(left) + Number(right);
			}
			case 'multiplicative_expression':
				return parts.length === 1 ? sub(0) : Number(sub(0)) / Number(sub(1));
			case 'format_expression': {
				if (parts.length === 1) return sub(0);
				const value = Number(sub(2));
				return text(sub(0)).replace('{0:x4}', value.toString(16).padStart(4, '0'));
			}
			default:
				if (parts.length === 1) return sub(0);
				throw new Error(`line ${node.startPosition.row + 1}: the expression ${node.type} is not known`);
		}
	}

	#member(node: Node, scope: Scope): unknown {
		const [left, right] = node.namedChildren;
		if (left!.type === 'type_literal') return this.#static(`${left!.text.slice(1, -1)}::${right!.text}`);
		return memberOf(this.#value(left!, scope), right!.text);
	}

	#static(name: string): unknown {
		const found = this.#world.statics[name];
		if (found === undefined) throw new Error(`${name} is not known`);
		return found;
	}

	#invoke(node: Node, scope: Scope): unknown {
		const [left, right] = node.namedChildren;
		const list = node.namedChildren.find(child => child?.type === 'argument_list');
		const args = (list?.namedChildren[0]?.namedChildren ?? []).map(each => {
			const value = this.#value(each!, scope);
			if ((value as Block | undefined)?.kind !== 'block') return value;
			const {node: block} = value as Block;
			const parameter = block.namedChildren.find(child => child?.type === 'param_block')!.namedChildren[0]!
				.namedChildren[0]!;
			return (given: unknown) => {
				scope.variables.set(parameter.text.slice(1).toLowerCase(), given);
				const output: unknown[] = [];
				this.#all(block, scope, output);
				return collapse(output);
			};
		});
		if (left!.type === 'type_literal') {
			return (this.#static(`${left!.text.slice(1, -1)}::${right!.text}`) as (...given: unknown[]) => unknown)(...args);
		}
		const owner = this.#value(left!, scope);
		const method = right!.text;
		if (owner === null || owner === undefined) {
			throw new Thrown(new Sim('an error record', {FullyQualifiedErrorId: `InvokeMethodOnNull (${left!.text})`}));
		}
		if (owner instanceof Hash && method === 'ContainsKey') return owner.has(text(args[0]));
		if (owner instanceof Sim) return (owner.get(method) as (...given: unknown[]) => unknown)(...args);
		const known = methods[method];
		if (!known || typeof owner === 'object') throw new Error(`the method ${method} of ${left!.text} is not known`);
		return known(text(owner), ...args.map(text));
	}
}

const methods: Readonly<Record<string, (own: string, ...args: string[]) => unknown>> = {
	ToString: own => own,
	Trim: own => own.trim(),
	ToUpperInvariant: own => own.toUpperCase(),
	Replace: (own, from = '', to = '') => own.replaceAll(from, to),
	Contains: (own, part = '') => own.includes(part),
	StartsWith: (own, part = '', how = '') =>
		how === 'OrdinalIgnoreCase' ? own.toLowerCase().startsWith(part.toLowerCase()) : own.startsWith(part),
};

function memberOf(owner: unknown, name: string): unknown {
	if (owner === null || owner === undefined) return null;
	if (Array.isArray(owner)) {
		return /^(?:Count|Length)$/i.test(name) ? owner.length : collapse(owner.map(each => memberOf(each, name)));
	}
	if (owner instanceof Sim) return owner.get(name);
	if (owner instanceof Hash) {
		if (/^keys$/i.test(name)) return owner.keys;
		return owner.get(name);
	}
	if (typeof owner === 'object') {
		const key = Object.keys(owner).find(each => each.toLowerCase() === name.toLowerCase());
		return key === undefined ? null : (owner as Record<string, unknown>)[key];
	}
	throw new Error(`${JSON.stringify(owner)} has no ${name}`);
}

function cast(type: string, value: unknown): unknown {
	switch (type) {
		case 'string':
			return text(value);
		case 'char':
			return text(value);
		case 'int':
			return typeof value === 'string' ? value.charCodeAt(0) : Number(value ?? 0);
		case 'int64':
		case 'double':
			return Number(value ?? 0);
		case 'bool':
			return truth(value);
		case 'ordered':
			return value;
		default:
			throw new Error(`the cast to ${type} is not known`);
	}
}

function compare(left: unknown, operator: string, right: unknown): unknown {
	if (Array.isArray(left) && !/contains$/.test(operator)) throw new Error(`${operator} filters an array`);
	switch (operator) {
		case '-eq':
			return same(left, right);
		case '-ne':
			return !same(left, right);
		case '-gt':
			return Number(left) > Number(right);
		case '-lt':
			return Number(left) < Number(right);
		case '-match':
			return pattern(text(right), 'i').test(text(left));
		case '-replace': {
			const [from, to] = right as [unknown, unknown];
			return text(left).replace(pattern(text(from), 'gi'), text(to));
		}
		case '-contains':
			return stream(left).some(each => same(each, right));
		case '-notcontains':
			return !stream(left).some(each => same(each, right));
		default:
			throw new Error(`the operator ${operator} is not known`);
	}
}
