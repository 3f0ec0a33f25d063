import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {onTestFinished} from 'vitest';
import {locate, type Paths} from '../../source/state/paths.ts';

/** A home of a test's own, removed when the test has ended. */
export function scratchPaths(): Paths {
	const home = mkdtempSync(path.join(tmpdir(), 'drover-test-'));
	onTestFinished(() => rmSync(home, {recursive: true, force: true}));
	return locate({DROVER_HOME: home}, 'linux');
}
