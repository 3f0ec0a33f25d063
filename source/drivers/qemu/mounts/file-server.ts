import {readdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {asObject} from '../../machine/json.ts';
import {findProgram, run} from '../../machine/programs.ts';

/** A virtiofsd of this host, and how it is to be run here. */
export type FileServer = {
	readonly program: string;
	/** Which of the two programs of that name: QEMU's own in C, up to 7.2, or the later one in Rust. */
	readonly kind: 'c' | 'rust';
	/** How it locks itself up in the directory; the second where namespaces cannot be made (in a container). */
	readonly sandbox: 'namespace' | 'chroot';
	/** Whether it can show owners under other numbers. */
	readonly translates: boolean;
};

/** Where programs that serve devices tell of themselves. Source: QEMU, `docs/interop/vhost-user.json`. */
const descriptionDirectories = ['/etc/qemu/vhost-user', '/usr/share/qemu/vhost-user'];

/** Where distributions put what is not meant to be called by people. */
const usualPlaces = [
	'virtiofsd',
	'/usr/libexec/virtiofsd',
	'/usr/lib/virtiofsd',
	'/usr/lib/qemu/virtiofsd',
	'/usr/libexec/qemu/virtiofsd',
];

/** No devices and no rights that stick to files: both would be rights on the host. */
const withheld = '-mknod:-setfcap';

/** Milliseconds after which one that was found is looked for again: it may have been upgraded. */
const findingMs = 60_000;

export type FileServerOptions = {
	/** Instead of this host's: its path, or `false` for none. */
	readonly program?: string | false;
	readonly uid?: number;
};

/** Looks for a virtiofsd that is of use, and remembers it for a while. */
export class FileServerProbe {
	readonly #options: FileServerOptions;
	#found: {readonly server: FileServer; readonly at: number} | undefined;

	constructor(options: FileServerOptions = {}) {
		this.#options = options;
	}

	/** @returns a sentence without a full stop where there is none that is of use */
	async find(): Promise<FileServer | string> {
		if (this.#found !== undefined && performance.now() - this.#found.at < findingMs) return this.#found.server;
		const server = await findFileServer(this.#options);
		this.#found = typeof server === 'string' ? undefined : {server, at: performance.now()};
		return server;
	}
}

/**
 * The virtiofsd of this host. The later program goes first: it can do more, and without root.
 * @returns a sentence without a full stop where there is none that is of use
 */
export async function findFileServer({
	program,
	uid = process.getuid?.() ?? 0,
}: FileServerOptions = {}): Promise<FileServer | string> {
	if (program === false || process.platform !== 'linux') return 'virtiofsd is not installed';
	const places = program === undefined ? [...(await describedPrograms()), ...usualPlaces] : [program];
	const found: FileServer[] = [];
	let problem = 'virtiofsd is not installed';
	for (const place of new Set(places)) {
		const file = await findProgram(place);
		if (file === undefined) continue;
		const {stdout, stderr} = await run(file, ['--help'], {timeoutMs: 3000});
		const words = readHelp(`${stdout}\n${stderr}`);
		if (words === undefined) continue;
		if (uid !== 0 && words.kind === 'c') problem = 'QEMU’s own virtiofsd needs root';
		else found.push({program: file, ...words, sandbox: 'namespace'});
	}
	const server = found.find(({kind}) => kind === 'rust') ?? found[0];
	if (server === undefined) return problem;
	if (await canSeparate(uid)) return server;
	return uid === 0 ? {...server, sandbox: 'chroot'} : 'virtiofsd needs root here, as users may make no namespaces';
}

/** What its own words say of it. */
export function readHelp(help: string): Pick<FileServer, 'kind' | 'translates'> | undefined {
	if (/--shared-dir\b/.test(help)) return {kind: 'rust', translates: /--translate-uid\b/.test(help)};
	return /-o source=PATH/.test(help) ? {kind: 'c', translates: false} : undefined;
}

async function describedPrograms(): Promise<string[]> {
	const programs: string[] = [];
	for (const directory of descriptionDirectories) {
		const names = (await readdir(directory).catch(() => [])).filter(name => name.endsWith('.json')).sort();
		for (const name of names) {
			const text = await readFile(path.join(directory, name), 'utf8').catch(() => '');
			const program = describedProgram(text);
			if (program !== undefined) programs.push(program);
		}
	}
	return programs;
}

/** The program of a description, when it serves file systems. */
export function describedProgram(text: string): string | undefined {
	try {
		const {type, binary} = asObject(JSON.parse(text));
		return type === 'fs' && typeof binary === 'string' && path.isAbsolute(binary) ? binary : undefined;
	} catch {
		return undefined;
	}
}

/** Whether namespaces of one's own can be made here, found out by making them. */
async function canSeparate(uid: number): Promise<boolean> {
	const kinds = ['--mount', '--pid', '--net', ...(uid === 0 ? [] : ['--user'])];
	const {code, stderr} = await run('unshare', [...kinds, '--fork', 'true'], {timeoutMs: 3000});
	// Where that program is missing, nothing speaks against it.
	return code === 0 || (code === undefined && /ENOENT/.test(stderr));
}

export type Serving = {
	readonly source: string;
	readonly socket: string;
	/** As `--translate-uid` and `--translate-gid` take them. */
	readonly users?: readonly string[];
	readonly groups?: readonly string[];
};

export function fileServerArguments(
	{kind, sandbox}: Pick<FileServer, 'kind' | 'sandbox'>,
	{source, socket, users = [], groups = []}: Serving,
): readonly string[] {
	if (kind === 'rust') {
		return [
			`--socket-path=${socket}`,
			`--shared-dir=${source}`,
			`--sandbox=${sandbox}`,
			'--cache=auto',
			`--modcaps=${withheld}`,
			'--log-level=error',
			...users.map(map => `--translate-uid=${map}`),
			...groups.map(map => `--translate-gid=${map}`),
		];
	}
	// Its options are taken apart at commas; a backslash takes their meaning away.
	const escaped = source.replace(/[\\,]/g, String.raw`\$&`);
	return [
		`--socket-path=${socket}`,
		...['-o', `source=${escaped}`],
		...['-o', `sandbox=${sandbox}`],
		...['-o', 'cache=auto'],
		...['-o', `modcaps=${withheld}`],
		...['-o', 'log_level=err'],
		'-f',
	];
}
