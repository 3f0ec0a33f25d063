import path from 'node:path';
import {nameProblem} from '../../model/names.ts';
import type {Paths} from '../../state/paths.ts';
import type {Stranger} from '../driver.ts';
import {instanceName} from './files.ts';
import type {Manage} from './manage.ts';
import {parseInfo, parseMachines} from './parse.ts';
import {isBelow, type VirtualBoxHost} from './platform.ts';
import {findProcess} from './process.ts';

/**
 * Machines that run from drover's own directories and that no record speaks of: somebody removed their records while they
 * ran. Other machines of this user's are none of drover's business: only what is called as drover calls them is looked at.
 */
export async function findStrangers(
	manage: Manage,
	{platform}: VirtualBoxHost,
	paths: Pick<Paths, 'data'>,
	known: ReadonlySet<string>,
): Promise<Stranger[]> {
	const running = parseMachines(await manage.look(['list', 'runningvms'], {isList: true, timeoutMs: 5000}));
	const found: Stranger[] = [];
	for (const {id, name: machine} of running) {
		const name = instanceName(machine);
		if (known.has(id) || name === undefined || nameProblem(name) !== undefined) continue;
		const text = await manage.look(['showvminfo', id, '--machinereadable'], {timeoutMs: 5000}).catch(() => '');
		const file = parseInfo(text).get('CfgFile');
		if (file === undefined || !isBelow(file, paths.data, platform)) continue;
		const process = await findProcess(path.dirname(file), id);
		if (process) found.push({id, name, pid: process.pid});
	}
	return found;
}
