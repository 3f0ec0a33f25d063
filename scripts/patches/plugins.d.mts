import type {Plugin} from 'esbuild';

export const lazyBuiltins: Plugin;
export function importBuiltinsAsTheyAre(text: string): string;
export const scriptsAsText: Plugin;
export function leaveOut(late: readonly string[], leftOut: Set<string>): Plugin;
export function patchPackages(applied: Set<string>): Plugin;
