import {type Digest, parseDigest} from '../digest.ts';

/** Lines of a checksum file that are looked at. */
const linesAtMost = 10_000;

/**
 * The hash of a file in a checksum file, whichever of the usual forms it has:
 * - coreutils' `SHA256SUMS`, `SHA512SUMS`, `CHECKSUM`: `<digits>  <name>`, with `*` before the name for binary mode
 * - BSD's: `SHA256 (<name>) = <digits>`
 * - a file that belongs to one image (`.sha256`, `.sha512`): the digits alone, or one line under whatever name, because
 *   the address often is that of a link while the line has the name it leads to
 * @returns `undefined` when it is not there, or there twice with different hashes
 */
export function digestIn(text: string, fileName: string): Digest | undefined {
	const entries = text
		.split('\n', linesAtMost)
		.map(line => readLine(line.trim()))
		.filter(entry => entry !== undefined);
	const named = entries.filter(({name}) => baseName(name) === fileName);
	const candidates = named.length > 0 ? named : entries.length === 1 ? entries : [];
	// The strongest one, where a file is listed with several.
	const best = candidates.filter(({digest}) => digest.algorithm === 'sha512');
	const [first, ...others] = best.length > 0 ? best : candidates;
	return first !== undefined && others.every(({digest}) => digest.hex === first.digest.hex) ? first.digest : undefined;
}

function readLine(line: string): {readonly name: string; readonly digest: Digest} | undefined {
	const bsd = /^(SHA256|SHA512) \((.{1,300})\) = ([\da-f]{64,128})$/i.exec(line);
	const gnu = /^\\?([\da-f]{64,128})(?: [ *](.{1,300}))?$/i.exec(line);
	const digest = bsd === null ? gnu && parseDigest(gnu[1]!) : parseDigest(`${bsd[1]}:${bsd[3]}`);
	return digest ? {name: bsd?.[2] ?? gnu?.[2] ?? '', digest} : undefined;
}

function baseName(name: string): string {
	return name.slice(name.lastIndexOf('/') + 1);
}
