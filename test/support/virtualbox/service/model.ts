export type Nic = {
	kind: 'nat' | 'bridged' | 'hostonly' | 'none';
	type: string;
	mac: string;
	adapter: string;
	/** In the order of their numbers: `ssh,tcp,127.0.0.1,2222,,22`. */
	rules: string[];
};

export type Attachment = {port: number; path: string; uuid: string; kind: 'hdd' | 'dvddrive'};

/** A machine as it is kept. */
export type Machine = {
	id: string;
	name: string;
	ostype: string;
	/** The directory of its settings file. */
	directory: string;
	file: string;
	cpus: number;
	memory: number;
	vram: number;
	graphics: string;
	firmware: string;
	boot: string[];
	audio: 'default' | 'none';
	nics: Nic[];
	uart?: {mode: string; io: string; irq: string};
	/** Names of IDE controllers. */
	controllers: string[];
	attachments: Attachment[];
	extra: Record<string, string>;
	description: string;
	/** As `--machinereadable` has it. */
	state: string;
	/** ISO 8601 with nine digits, no zone. */
	changed: string;
	stateFile?: string;
};

export type Medium = {uuid: string; path: string; format: string; kind: 'disk' | 'dvd'; capacity: number};

export type Answer = {out?: string; err?: string; code?: number};

/** What VBoxManage says when it does not do something. */
export class Refusal extends Error {
	readonly answer: Answer;

	/** @param details `VBOX_E_OBJECT_NOT_FOUND (0x80bb0001), component …` */
	constructor(message: string, details?: string, more: Partial<Answer> = {}) {
		super(message);
		const lines = [message, ...(details === undefined ? [] : [`Details: code ${details}`])];
		const err = lines.map(line => `VBoxManage: error: ${line}\n`).join('');
		this.answer = {out: more.out ?? '', err: `${more.err ?? ''}${err}`, code: more.code ?? 1};
	}
}

export const codes = {
	missing: 'VBOX_E_OBJECT_NOT_FOUND (0x80bb0001), component VirtualBoxWrap, interface IVirtualBox, callee nsISupports',
	file: 'VBOX_E_FILE_ERROR (0x80bb0004), component MediumWrap, interface IMedium, callee nsISupports',
	machineFile: 'VBOX_E_FILE_ERROR (0x80bb0004), component MachineWrap, interface IMachine, callee nsISupports',
	state: 'VBOX_E_INVALID_VM_STATE (0x80bb0002), component SessionMachine, interface IMachine, callee nsISupports',
	locked: 'VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap, interface IMachine, callee nsISupports',
	argument: 'NS_ERROR_INVALID_ARG (0x80070057), component SessionMachine, interface IMachine, callee nsISupports',
	failure: 'NS_ERROR_FAILURE (0x80004005), component MachineWrap, interface IMachine',
} as const;

export const bar = '0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n';

export function emptyNic(): Nic {
	return {kind: 'none', type: '82540EM', mac: '', adapter: '', rules: []};
}

export function now(): string {
	return `${new Date().toISOString().slice(0, -1)}000000`;
}

const online = new Set([
	'running',
	'paused',
	'gurumeditation',
	'starting',
	'stopping',
	'saving',
	'restoring',
	'teleporting',
	'livesnapshotting',
]);

export function isOnline({state}: Machine): boolean {
	return online.has(state);
}
