import type {SshAccess} from './ssh-access.ts';

/** How to reach the server that runs instances: its socket, or an address with what both sides are known by. */
export type LxdEndpoint =
	| {readonly kind: 'socket'; readonly path: string}
	| {
			readonly kind: 'https';
			/** `https://host:8443`. */
			readonly url: string;
			/** Files with the client's certificate and key, PEM. */
			readonly certificateFile: string;
			readonly keyFile: string;
			/** SHA-256 of the server's certificate, hexadecimal: it must show this one. Absent: one the system trusts. */
			readonly fingerprint?: string;
	  };

/** Running commands in a guest by way of the hypervisor, where no SSH server can be reached. */
export type DirectAccess = {
	readonly name: string;
	readonly endpoint: LxdEndpoint;
	readonly project: string;
	/** What the server calls the instance. */
	readonly instance: string;
	/** Whom commands run as. */
	readonly user: string;
};

/** How a client gets into a guest: with the system's `ssh`, or by way of the hypervisor. */
export type GuestAccess =
	| {readonly kind: 'ssh'; readonly ssh: SshAccess}
	| {readonly kind: 'lxd'; readonly direct: DirectAccess /** Why not SSH. */; readonly reason: string};
