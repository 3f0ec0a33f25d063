/**
 * A small YAML writer for the data that commands print: maps, lists, texts, numbers, booleans and `~` for nothing.
 * Loading a library for it would cost more than bare Node does. Its tests read everything back with one.
 */
export function toYaml(data: unknown): string {
	if (isEmpty(data) || !isNested(data)) return `${scalar(data)}\n`;
	return `${block(data, 0).join('\n')}\n`;
}

function block(data: object, depth: number): string[] {
	const pad = '  '.repeat(depth);
	if (Array.isArray(data)) {
		return data.flatMap((item: unknown) => {
			if (!isNested(item) || isEmpty(item)) return [`${pad}- ${scalar(item)}`];
			const [first = '', ...rest] = block(item, depth + 1);
			return [`${pad}- ${first.slice(pad.length + 2)}`, ...rest];
		});
	}
	return Object.entries(data)
		.filter(([, value]) => value !== undefined)
		.flatMap(([key, value]: [string, unknown]) =>
			isNested(value) && !isEmpty(value)
				? [`${pad}${scalar(key)}:`, ...block(value, depth + 1)]
				: [`${pad}${scalar(key)}: ${scalar(value)}`],
		);
}

function isNested(value: unknown): value is object {
	return typeof value === 'object' && value !== null;
}

function isEmpty(value: unknown): boolean {
	return isNested(value) && Object.values(value).every(item => item === undefined);
}

function scalar(value: unknown): string {
	if (value === null || value === undefined) return '~';
	if (Array.isArray(value)) return '[]';
	if (typeof value === 'object') return '{}';
	if (typeof value === 'string') return isPlain(value) ? value : JSON.stringify(value);
	return String(value);
}

/** Words that some version of YAML takes for something else than text. */
const reserved = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** Whether a text is still that text when it stands without quotes, for readers of YAML 1.1 and 1.2 alike. */
function isPlain(text: string): boolean {
	if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) return true;
	if (reserved.test(text)) return false;
	// A number, a date or a time has no blank with a letter after it.
	if (/^\d/.test(text) && !/^[\d.]+ [A-Za-z]/.test(text)) return false;
	return /^[A-Za-z\d/](?:[\w ./()@+-]*[\w./()@+-])?$/.test(text);
}
