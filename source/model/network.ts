/** A network of the host that instances can be given a further interface on. */
export type HostNetwork = {
	readonly name: string;
	/** `bridge`, `ethernet`, `wifi`: as Multipass names them. */
	readonly type: string;
	readonly description: string;
};

/** A further network interface of an instance. */
export type Nic = {
	/** The host network's name. */
	readonly network: string;
	readonly mac: string;
	/** `auto`: the guest asks for an address by itself; `manual`: it is left alone. */
	readonly mode: 'auto' | 'manual';
};
