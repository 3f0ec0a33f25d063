import {readFileSync} from 'node:fs';

/** The script that works in Hyper-V. In the built program this file is its text itself: see `scripts/build.mjs`. */
export const scriptText: string = readFileSync(new URL('./hyperv.ps1', import.meta.url), 'utf8');
