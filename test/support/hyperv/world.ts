import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import type {HostTools} from '../../../source/drivers/hyperv/host.ts';
import {findProgram} from '../../../source/platform/programs.ts';
import {endAll} from './operations.ts';
import {type Behaviour, State} from './state.ts';

const standIn = fileURLToPath(new URL('./stand-in.ts', import.meta.url));

/** A Windows with Hyper-V that is none: drover's tools for it lead to the stand-in. */
export class HypervWorld {
	readonly state: State;
	readonly tools: HostTools;

	constructor(behaviour: Behaviour = {}) {
		this.state = new State(mkdtempSync(path.join(tmpdir(), 'drover-hv-')));
		this.state.behaviour = behaviour;
		this.tools = {
			platform: 'win32',
			find: name => findProgram(name),
			shells: ['no-such-powershell.exe', process.execPath],
			shellArguments: script => [standIn, this.state.directory, '-File', script],
			environment: {PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/'},
			imageProgram: 'qemu-img',
		};
	}

	/** Ends all guests and forgets everything. */
	close(): void {
		endAll(this.state);
		rmSync(this.state.directory, {recursive: true, force: true});
	}
}
