import type {InstanceView} from '../../model/instance.ts';

/** Where an instance is reached, as the table shows it. */
export function addressOf(instance: InstanceView): string {
	if (instance.ssh && /^(127\.|localhost$|::1$)/.test(instance.ssh.host)) {
		return `${instance.ssh.host}:${instance.ssh.port}`;
	}
	return instance.ipv4[0] ?? (instance.ssh ? `${instance.ssh.host}:${instance.ssh.port}` : '');
}

type Term = {
	readonly field: 'any' | 'name' | 'state' | 'ip' | 'image' | 'member';
	readonly text: string;
	readonly isInverse: boolean;
};

const fields = /^(name|state|ip|image|member):(.*)$/;

function parse(filter: string): readonly Term[] {
	return filter
		.toLowerCase()
		.split(/\s+/)
		.flatMap(word => {
			const isInverse = word.startsWith('!');
			const rest = isInverse ? word.slice(1) : word;
			const [, field, value] = fields.exec(rest) ?? [];
			const text = value ?? rest;
			return text === '' ? [] : [{field: (field ?? 'any') as Term['field'], text, isInverse}];
		});
}

function holds(term: Term, instance: InstanceView): boolean {
	const parts = {
		name: instance.name,
		state: instance.state,
		ip: `${addressOf(instance)} ${instance.ipv4.join(' ')}`,
		image: `${instance.image.release} ${instance.image.os}`,
		member: instance.member ?? '',
	};
	const text = term.field === 'any' ? Object.values(parts).join('\n') : parts[term.field];
	return text.toLowerCase().includes(term.text) !== term.isInverse;
}

/**
 * Which instances a filter shows: words that must all occur (name, state, address, image, member), `!word` must not,
 * `state:run`, `ip:10.`, `image:micro`, `name:web`, `member:node-1` look in one column.
 */
export function filterTest(filter: string): (instance: InstanceView) => boolean {
	const terms = parse(filter);
	return instance => terms.every(term => holds(term, instance));
}
