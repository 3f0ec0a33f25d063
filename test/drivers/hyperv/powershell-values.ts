// biome-ignore-all lint/correctness/noComponentHookFactories: .NET’s methods begin with a capital, too
/*
 * Values of the small PowerShell in `powershell.ts`. `undefined` is what a pipeline gives that puts out nothing, `null` is
 * `$null`: the one is no element of an array, the other is one.
 */

/** An object of .NET's or a cmdlet's: names in any case, and a name that it does not have is a mistake in the script. */
export class Sim {
	readonly type: string;
	readonly #members = new Map<string, unknown>();

	constructor(type: string, members: Readonly<Record<string, unknown>>) {
		this.type = type;
		for (const [name, value] of Object.entries(members)) this.#members.set(name.toLowerCase(), value);
	}

	get(name: string): unknown {
		const key = name.toLowerCase();
		if (!this.#members.has(key)) throw new Error(`${this.type} has no ${name}`);
		return this.#members.get(key);
	}

	set(name: string, value: unknown): void {
		this.#members.set(name.toLowerCase(), value);
	}
}

/** A value of an enumeration: it has a name, and a number that nobody may go by. */
export function enumValue(name: string): Sim {
	return new Sim('an enumeration', {ToString: () => name});
}

/** `@{}` and `[ordered]@{}`. */
export class Hash {
	readonly #entries = new Map<string, {key: string; value: unknown}>();

	get(key: string): unknown {
		return this.#entries.get(key.toLowerCase())?.value ?? null;
	}

	set(key: string, value: unknown): void {
		const lower = key.toLowerCase();
		this.#entries.set(lower, {key: this.#entries.get(lower)?.key ?? key, value: value ?? null});
	}

	has(key: string): boolean {
		return this.#entries.has(key.toLowerCase());
	}

	get keys(): string[] {
		return [...this.#entries.values()].map(({key}) => key);
	}
}

/** What `throw` throws: an error record. */
export class Thrown extends Error {
	readonly record: unknown;

	constructor(record: unknown) {
		super(record instanceof Sim ? String(record.get('FullyQualifiedErrorId')) : String(record));
		this.record = record;
	}
}

export function errorRecord(id: string, category: string, message: string, hresult = 0): Sim {
	return new Sim('an error record', {
		Exception: new Sim('an exception', {Message: message, HResult: hresult}),
		FullyQualifiedErrorId: id,
		CategoryInfo: new Sim('a category', {Category: enumValue(category)}),
	});
}

/** What a value is in a pipeline. */
export function stream(value: unknown): unknown[] {
	if (value === undefined) return [];
	return Array.isArray(value) ? value : [value];
}

/** What a pipeline's output is as a value. */
export function collapse(output: readonly unknown[]): unknown {
	return output.length <= 1 ? output[0] : [...output];
}

export function text(value: unknown): string {
	if (value === null || value === undefined) return '';
	if (typeof value === 'boolean') return value ? 'True' : 'False';
	if (Array.isArray(value)) return value.map(text).join(' ');
	if (value instanceof Sim) return String((value.get('ToString') as () => unknown)());
	if (typeof value === 'string' || typeof value === 'number') return String(value);
	throw new Error('a whole object is made a text of');
}

export function truth(value: unknown): boolean {
	if (Array.isArray(value)) return value.length > 1 || (value.length === 1 && truth(value[0]));
	return !(value === null || value === undefined || value === false || value === 0 || value === '');
}

export function same(left: unknown, right: unknown): boolean {
	if (left === null || left === undefined || right === null || right === undefined)
		return (left ?? null) === (right ?? null);
	if (typeof left === 'number') return left === Number(text(right));
	if (typeof left === 'boolean') return left === truth(right);
	if (left instanceof Sim && right instanceof Sim && left === right) return true;
	return text(left).toLowerCase() === text(right).toLowerCase();
}

/** .NET's regular expression as JavaScript's. */
export function pattern(source: string, flags: string): RegExp {
	const inline = /^\(\?(\w+)\)/.exec(source);
	return new RegExp(source.slice(inline?.[0].length ?? 0), `${flags}${inline?.[1] ?? ''}`);
}
