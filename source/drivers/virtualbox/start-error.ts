import {DroverError} from '../../model/errors.ts';
import type {ManageError} from './manage.ts';

const known: readonly {readonly when: RegExp; readonly why: string; readonly next: string}[] = [
	{
		when: /VERR_VMX_IN_VMX_ROOT_MODE|VERR_SVM_IN_USE|VERR_VMX_NO_VMX|another hypervisor/i,
		why: 'another hypervisor has the processor’s virtualization',
		next: 'Stop the machines of the other one (KVM, Hyper-V, another program) and try again.',
	},
	{
		when: /VERR_VMX_MSR_ALL_VMX_DISABLED|VERR_SVM_DISABLED|AMD-V is disabled|VT-x is disabled/i,
		why: 'the processor’s virtualization is switched off',
		next: 'Switch VT-x or AMD-V on in the firmware settings of this computer.',
	},
	{
		when: /VERR_NEM_|Hyper-V/i,
		why: 'Windows does not give VirtualBox its hypervisor',
		next: 'Switch the Windows feature “Virtual Machine Platform” on, or Hyper-V off, and restart Windows.',
	},
	{
		when: /Kernel driver not installed|VERR_VM_DRIVER_|VERR_SUPLIB_|-1908|terminated unexpectedly during startup/i,
		why: 'its process ended at once, most likely as VirtualBox’s kernel driver is not loaded',
		next: 'macOS: allow Oracle’s extension under Privacy & Security and restart. Windows: repair the installation. Logs/VBoxHardening.log in the machine’s directory tells more.',
	},
	{
		when: /VERR_NO_MEMORY|VERR_EM_NO_MEMORY|not enough memory|out of memory/i,
		why: 'the host does not have the memory for it',
		next: 'Stop other instances, or give this one less memory.',
	},
];

/** Why a machine did not start, in words. */
export function startError(error: ManageError): unknown {
	if (error.problem === 'silent' || error.problem === 'missing' || error.problem === 'gone') return error;
	const text = `${error.words}\n${error.message}`;
	const found = known.find(({when}) => when.test(text));
	if (found === undefined) {
		return new DroverError('driver.failed', `VirtualBox did not start the machine: ${error.message}.`, {
			next: 'Look into Logs/VBox.log in the machine’s directory.',
			cause: error,
		});
	}
	return new DroverError('driver.failed', `VirtualBox did not start the machine: ${found.why}.`, {
		next: found.next,
		cause: error,
	});
}
