import {plainLine} from '../../model/text.ts';
import type {TarEntry} from './tar.ts';

export type ContainerImage = {
	/** As LXD calls it: `x86_64`. */
	readonly architecture: string;
	readonly os: string;
	readonly release: string;
	readonly description: string;
};

/** Where cloud-init and the micro guest look for the seed of a container. */
export const seedDirectory = 'var/lib/cloud/seed/nocloud-net';

/**
 * The seed's files, from the keys `cloud-init.*` of the instance. A new `user.drover.id` makes the guest take it for a
 * new machine. The language is that of pongo2; it knows no escapes, and LXD tells a mistake as a start that hangs.
 */
const templates: readonly {readonly file: string; readonly text: string; readonly fallback?: string}[] = [
	{
		file: 'meta-data',
		text: 'instance-id: {{ config_get("user.drover.id", container.name) }}\nlocal-hostname: {{ container.name }}\n',
	},
	{
		file: 'user-data',
		text: '{{ config_get("cloud-init.user-data", properties.default) }}\n',
		fallback: '#cloud-config\n{}',
	},
	{
		file: 'vendor-data',
		text: '{{ config_get("cloud-init.vendor-data", properties.default) }}\n',
		fallback: '#cloud-config\n{}',
	},
	{
		file: 'network-config',
		text: '{{ config_get("cloud-init.network-config", properties.default) }}\n',
		fallback: 'version: 2\nethernets: {default: {match: {name: "e*"}, dhcp4: true, dhcp-identifier: mac}}',
	},
];

/** What stands beside `rootfs/` in an archive for LXD and Incus: `metadata.yaml` first, since both read only up to it. */
export function descriptionEntries(image: ContainerImage, created: Date): TarEntry[] {
	const modified = Math.floor(created.getTime() / 1000);
	const common = {uid: 0, gid: 0, modified};
	const file = (path: string, text: string): TarEntry => {
		const content = Buffer.from(text);
		return {...common, path, mode: 0o644, kind: 'file', size: content.length, content};
	};
	return [
		file('metadata.yaml', metadataText(image, modified)),
		{...common, path: 'templates', mode: 0o755, kind: 'directory'},
		...templates.map(template => file(`templates/${template.file}.tpl`, template.text)),
	];
}

export function metadataText(image: ContainerImage, created: number): string {
	// JSON's texts are YAML's: nothing a guest calls itself gets out of its quotes.
	const quoted = (text: string) => JSON.stringify(plainLine(text).slice(0, 200));
	const lines = [
		`architecture: ${quoted(image.architecture)}`,
		`creation_date: ${created}`,
		'properties:',
		...(['os', 'release', 'description', 'architecture'] as const).map(key => `  ${key}: ${quoted(image[key])}`),
		'templates:',
		...templates.flatMap(({file, fallback}) => [
			`  /${seedDirectory}/${file}:`,
			'    when: [create, copy, rename]',
			`    template: ${file}.tpl`,
			...(fallback === undefined ? [] : [`    properties: {default: ${JSON.stringify(fallback)}}`]),
		]),
	];
	return `${lines.join('\n')}\n`;
}
