/** Commands of Multipass that this version does not have, with what it does not have. */
const absent: Readonly<Record<string, string>> = {
	snapshot: 'snapshots are',
	restore: 'snapshots are',
	clone: 'cloning is',
	authenticate: 'a passphrase is',
	auth: 'a passphrase is',
	'wait-ready': 'waiting for the daemon is',
	zones: 'availability zones are',
	'enable-zones': 'availability zones are',
	'disable-zones': 'availability zones are',
};

/** The sentence about a known command that this version does not have. */
export function absence(name: string): string | undefined {
	const what = Object.hasOwn(absent, name) ? absent[name] : undefined;
	return what === undefined ? undefined : `${what} not in this version of drover.`;
}
