import {type Distribution, distributions} from './distributions.ts';
import type {CatalogueEntry} from './entry.ts';

/** The distributions of drover's own list that are published for an architecture. */
export function distributionEntries(
	architecture: string,
	list: readonly Distribution[] = distributions,
): CatalogueEntry[] {
	return list.flatMap(({files, supported = true, ...rest}) => {
		const file = files[architecture];
		return file === undefined ? [] : [{...rest, ...file, remote: '', supported}];
	});
}
