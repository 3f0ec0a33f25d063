import type {Document, Node, YAMLMap} from 'yaml';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';

const header = '#cloud-config';
const templateHeader = /^## *template: *jinja$/;

/** Far above any real cloud-config, and small enough to be kept in memory and in a seed. */
const maximumLength = 2 ** 20;

/** A cloud-config as it can be changed: what is not touched is written again as it was. */
export type CloudConfig = {
	readonly document: Document;
	readonly root: YAMLMap;
	readonly isTemplate: boolean;
};

/**
 * Reads a cloud-config as Multipass does: YAML that is not empty, with or without its first line.
 *
 * Scalars are read as the text they are (YAML's failsafe schema): what `0644`, `no` or `1:30` mean is cloud-init's to
 * decide, whose YAML is another version than ours, and they must reach it unchanged.
 * @throws DroverError `usage.invalid` with the line where it goes wrong
 */
export async function readCloudConfig(text: string): Promise<CloudConfig> {
	const {isMap, isScalar, LineCounter, parseDocument, visit} = await import('yaml');
	if (text.length > maximumLength) throw problem('it has more than 1 MiB');
	const content = text.replace(/^\uFEFF/, '');
	const lines = content.split('\n');
	const first = lines[0]!.trimEnd();
	if (first.startsWith('#!'))
		throw problem('it is a script', 'Put it under runcmd: or write_files: in a cloud-config.');
	if (/^(?:content-type|mime-version):/i.test(first)) throw problem('it is a MIME archive, not a cloud-config');
	const isTemplate = templateHeader.test(first);
	// The headers are written anew. Their lines stay, so that the numbers of the others stay right.
	if (isTemplate) lines[0] = '';
	const second = isTemplate ? 1 : 0;
	if (lines[second]?.trimEnd() === header) lines[second] = '';
	const body = lines.join('\n');
	const lineCounter = new LineCounter();
	const document = parseDocument(body, {schema: 'failsafe', customTags: ['null'], version: '1.1', lineCounter});
	const error = document.errors[0];
	if (error) {
		const line = error.linePos?.[0].line;
		const words = plainLine(error.message.split('\n')[0]!).replace(/ at line \d+, column \d+:?$/, '');
		throw problem(`${line === undefined ? '' : `line ${line}: `}${words}`);
	}
	if (document.contents === null) throw problem('it is empty');
	if (!isMap(document.contents)) throw problem('it must be a mapping, such as "packages: [htop]"');
	const root = document.contents as YAMLMap;
	visit(document, {
		Pair: (_, {key}) => {
			// Mostly an unquoted {{ … }}, which is a mapping for a key: cloud-init's own reader fails at it.
			if (isScalar(key)) return;
			const {line} = lineCounter.linePos((key as Node).range?.[0] ?? 0);
			throw problem(`line ${line}: a key must be a plain text`, 'Put quotes around what has braces: "{{ … }}".');
		},
	});
	// It means the same either way, and small readers know the block style only.
	visit(document, {
		Collection: (_, node) => {
			node.flow = false;
		},
	});
	return {document: document as unknown as Document, root, isTemplate};
}

/** The text cloud-init is given. Nothing is folded: a key stays on one line. */
export function cloudConfigText({document, isTemplate}: CloudConfig): string {
	const body = document.toString({lineWidth: 0, directives: false});
	return `${isTemplate ? '## template: jinja\n' : ''}${header}\n${body}`;
}

export function problem(reason: string, next?: string): DroverError {
	return new DroverError('usage.invalid', `The cloud-init file cannot be used: ${reason}.`, {next});
}
