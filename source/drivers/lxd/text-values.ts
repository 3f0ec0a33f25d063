import {asObject} from '../machine/json.ts';

/** The values of an object that are texts. */
export function textValues(value: unknown): Readonly<Record<string, string>> {
	return Object.fromEntries(Object.entries(asObject(value)).filter(([, each]) => typeof each === 'string')) as Record<
		string,
		string
	>;
}
