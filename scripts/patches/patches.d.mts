export type Patch = {readonly name: string; filter: RegExp; apply: (source: string) => string};
export const patches: readonly Patch[];
