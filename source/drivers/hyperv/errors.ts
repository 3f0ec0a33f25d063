import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import type {Failure} from './messages.ts';

/**
 * How a request ended without a result: `refused` (the script answered with an error), `crashed` (PowerShell ended),
 * `silent` (no answer in time), `malformed` (an answer that makes no sense), `missing` (PowerShell cannot be run),
 * `aborted`.
 */
export type HypervProblem = 'refused' | 'crashed' | 'silent' | 'malformed' | 'missing' | 'aborted';

export class HypervError extends Error {
	override readonly name = 'HypervError';
	readonly problem: HypervProblem;
	/** What is known of the error by numbers and names; its text is Windows's, in Windows's language. */
	readonly failure: Failure | undefined;

	constructor(problem: HypervProblem, message: string, failure?: Failure) {
		super(plainLine(message).slice(0, 500) || problem);
		this.problem = problem;
		this.failure = failure;
	}

	/** The error's id without the command that it came from: `ObjectNotFound`, `drover.MachineMissing`. */
	get id(): string {
		return this.failure?.id.split(',')[0] ?? '';
	}
}

export function isMissing(error: unknown): boolean {
	return error instanceof HypervError && error.id === 'drover.MachineMissing';
}

/** Windows's results, as the unsigned numbers they are documented as. */
const results = {
	accessDenied: 0x8007_0005,
	outOfMemory: 0x8007_000e,
	noResources: 0x8007_05aa,
	diskFull: 0x8007_0070,
	handleDiskFull: 0x8007_0027,
	inUse: 0x8007_0020,
	/** A disk file that is compressed, sparse or encrypted. Source: Windows's `winerror.h`, `ERROR_VHD_…`. */
	sparse: 0xc03a_001a,
	chainBroken: 0xc03a_000e,
} as const;

type Kind = 'access' | 'memory' | 'disk-full' | 'in-use' | 'sparse' | 'no-module' | 'other';

/** What kind of failure it is, by its id, category and result alone. */
export function kindOf({id, category, hresult}: Failure): Kind {
	const name = id.split(',')[0] ?? '';
	const result = hresult >>> 0;
	if (name === 'CommandNotFoundException') return 'no-module';
	if (name === 'AccessDenied' || category === 'PermissionDenied' || result === results.accessDenied) return 'access';
	if (name === 'OutOfMemory' || result === results.outOfMemory || result === results.noResources) return 'memory';
	if (result === results.diskFull || result === results.handleDiskFull) return 'disk-full';
	if (result === results.inUse) return 'in-use';
	if (result === results.sparse) return 'sparse';
	return 'other';
}

/** An error as one for a person; others pass. `doing`: `starting the instance`. */
export function hypervError(error: unknown, doing: string): unknown {
	if (!(error instanceof HypervError)) return error;
	const sentence = (code: ConstructorParameters<typeof DroverError>[0], text: string, next?: string) =>
		new DroverError(code, text, {next, cause: error.message});
	switch (error.problem) {
		case 'aborted':
			return new DroverError('operation.cancelled', 'The work was cancelled.');
		case 'missing':
			return sentence('driver.not-installed', `PowerShell cannot be run: ${trimmed(error.message)}.`, doctor);
		case 'crashed':
			return sentence('driver.failed', `PowerShell ended while ${doing}: ${trimmed(error.message)}.`, 'Try again.');
		case 'silent':
			return sentence('driver.unresponsive', `Hyper-V does not answer while ${doing}.`, doctor);
		case 'malformed':
			return sentence('driver.failed', `Hyper-V gave an answer that makes no sense while ${doing}.`);
		case 'refused':
			return refusal(error, doing, sentence);
	}
}

const doctor = 'drover doctor tells what is the matter with it.';

function refusal(
	error: HypervError,
	doing: string,
	sentence: (code: ConstructorParameters<typeof DroverError>[0], text: string, next?: string) => DroverError,
): DroverError {
	switch (error.id) {
		case 'drover.MachineMissing':
			return sentence(
				'instance.broken',
				'Hyper-V does not have the virtual machine any more.',
				'It was removed there by somebody else, or its notes were: drover forget lets go of it.',
			);
		case 'drover.DiskMissing':
			return sentence('instance.broken', 'The virtual machine has no disk any more.', 'Somebody took it out of it.');
		case 'drover.NotOff':
			return sentence('instance.state', `The instance is not off: ${trimmed(error.message)}.`, 'Stop it first.');
		case 'drover.NoDefaultSwitch':
			return sentence(
				'driver.unusable',
				'Hyper-V has no Default Switch, which instances are connected to.',
				'Windows 10 and 11 make it themselves; Windows Server has none.',
			);
		case 'drover.NoSwitch':
			return sentence('instance.invalid', 'There is no such network.', 'drover networks lists those there are.');
		case 'drover.DiskInChain':
			return sentence(
				'instance.state',
				'The disk cannot be made larger while it has snapshots, or while Hyper-V merges those that were deleted.',
				'Delete its snapshots first, and wait until Hyper-V has merged them.',
			);
		case 'drover.SnapshotMissing':
			return sentence(
				'snapshot.missing',
				'Hyper-V has no such snapshot any more.',
				'It was removed there by somebody else; nothing was changed.',
			);
		case 'drover.GuestSilent':
			return sentence(
				'guest.unanswered',
				'The guest cannot be asked to power off.',
				'Cut its power with stop --force.',
			);
	}
	switch (error.failure === undefined ? 'other' : kindOf(error.failure)) {
		case 'access':
			return sentence('driver.unusable', `Hyper-V does not allow ${doing}.`, rightsRemedy);
		case 'no-module':
			return sentence('driver.not-installed', 'Hyper-V’s module for PowerShell is missing.', doctor);
		case 'memory':
			return sentence(
				'host.failed',
				`The host has not enough memory for ${doing}.`,
				'Stop other instances, or give this one less memory: drover set local.NAME.memory=512M.',
			);
		case 'disk-full':
			return sentence('host.disk-full', `There is no space left for ${doing}.`, 'Free some disk space and try again.');
		case 'in-use':
			return sentence(
				'driver.failed',
				`The disk is in use by another program, so ${doing} failed.`,
				'End what has it open, a backup or a mounted disk perhaps, and try again.',
			);
		case 'sparse':
			return sentence(
				'driver.failed',
				`Hyper-V takes no disks that Windows compresses or encrypts, so ${doing} failed.`,
				'Switch compression and encryption off for drover’s data directory, or move it with DROVER_HOME.',
			);
		case 'other':
			return sentence('driver.failed', `Hyper-V failed at ${doing}: ${trimmed(error.message)}.`);
	}
}

/** By its SID: the group's name is translated. */
export const rightsRemedy =
	'Add yourself to the group Hyper-V Administrators, in PowerShell as administrator: Add-LocalGroupMember -SID S-1-5-32-578 -Member $env:USERNAME; then log out and in again.';

export function trimmed(message: string): string {
	return message.replace(/[.\s]+$/, '');
}
