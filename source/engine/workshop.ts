import type {SettingReader} from '../drivers/driver.ts';
import type {followInit} from '../guest/follow-init.ts';
import type {ImageStore} from '../images/image.ts';
import type {Hardware} from '../model/instance.ts';
import type {Paths} from '../state/paths.ts';
import type {Layers} from './cloning/layers.ts';
import type {PrivateNetwork} from './hardware/private-network.ts';
import type {Instances} from './instances.ts';
import type {MountKeeper} from './mounting/mount-keeper.ts';

/** What the pieces of work share. */
export type Workshop = {
	readonly paths: Paths;
	readonly instances: Instances;
	readonly images: ImageStore;
	readonly mounts: MountKeeper;
	readonly layers: Layers;
	readonly network: PrivateNetwork;
	/** Resolves with the SSH banner. @throws DroverError `guest.unanswered` */
	readonly waitForAnswer: (request: {
		host: string;
		port: number;
		timeoutMs: number;
		signal: AbortSignal;
	}) => Promise<string>;
	/** One try, at most half a second; `undefined` when the guest does not answer. */
	readonly tryAnswer: (ssh: {host: string; port: number}) => Promise<string | undefined>;
	/** Milliseconds after which a guest that is silent on SSH is asked by way of its hypervisor, where the driver can. */
	readonly directAfterMs: number;
	/** Asks a guest over SSH how far its initialization is. */
	readonly followInit: typeof followInit;
	/** The drover user's client key, made when first needed. */
	readonly clientKey: () => Promise<{public: string}>;
	readonly hostKey: () => Promise<{private: string; public: string}>;
	/** What guests are for: the processors of this host. */
	readonly arch: Hardware['arch'];
	/** The value of a setting that is in force. */
	readonly setting: SettingReader;
	readonly now: () => Date;
	readonly random: () => number;
	readonly uuid: () => string;
	/** Where an installed Multipass may keep its data. */
	readonly multipassPlaces: readonly string[];
};
