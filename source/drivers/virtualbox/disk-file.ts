import type {InstanceRecord} from '../../model/instance.ts';
import type {DiskFile, InstancePlace} from '../driver.ts';
import {findMachine} from './context.ts';
import {filesOf} from './files.ts';
import type {Manage} from './manage.ts';
import {diskProblem} from './observe.ts';
import {attachedDisk} from './saved.ts';

/** The disk of a machine that is off; a text: why there is none to be copied. */
export async function diskFile(
	manage: Manage,
	record: InstanceRecord,
	place: InstancePlace,
): Promise<DiskFile | string> {
	const machine = await findMachine({manage, record});
	if (machine === undefined) return 'VirtualBox does not know its machine any more';
	const {disk} = filesOf(place);
	if (attachedDisk(machine.info, place) !== disk) {
		return 'a snapshot was taken of it in VirtualBox, so that its disk is spread over several files';
	}
	return (await diskProblem(disk)) ?? {file: disk, format: 'vdi'};
}
