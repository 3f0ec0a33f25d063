import {DroverError} from '../../model/errors.ts';

/** Why a machine did not start, in words. @param who whose words the message is: `QEMU`, `libvirt` */
export function startError(who: string, message: string): DroverError {
	if (/failed to get "write" lock/i.test(message)) {
		return new DroverError('driver.failed', 'The disk is in use by another program.', {
			next: 'End the program that has it open (another virtual machine, or qemu-img) and try again.',
			cause: message,
		});
	}
	if (/cannot create vmnet interface/i.test(message)) {
		return new DroverError('driver.unusable', 'macOS does not let QEMU open the network of a further interface.', {
			next: 'It needs root: start drover with sudo. If it does, look whether the interface is up, and reboot the Mac.',
			cause: message,
		});
	}
	if (/cannot allocate memory|cannot set up guest memory/i.test(message)) {
		return new DroverError('host.failed', 'The host does not have the memory for this instance.', {
			next: 'Stop other instances, or give this one less memory.',
			cause: message,
		});
	}
	return new DroverError(
		'driver.failed',
		`${who === 'QEMU' ? 'QEMU did not start' : `${who} did not start the machine`}: ${message}.`,
		{
			next:
				who === 'QEMU'
					? 'Look into qemu.log in the instance’s directory.'
					: 'Look into libvirt’s log of the machine (log/qemu in its directories).',
		},
	);
}
