/** How to reach a guest with the system's `ssh`. Absolute paths. */
export type SshAccess = {
	readonly name: string;
	readonly host: string;
	readonly port: number;
	readonly user: string;
	readonly identityFile: string;
	readonly knownHostsFile: string;
	readonly hostKeyAlias: string;
};
