import {causeWords} from '../model/cause-words.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {throwIfCancelled} from './run.ts';

/** How often a server may send us elsewhere. */
const maximumRedirects = 5;

export type Times = {
	/** Milliseconds a server may take to begin its answer. */
	readonly answer: number;
	/** Milliseconds without a byte after which a download counts as interrupted. */
	readonly stall: number;
	/** Milliseconds to wait before each new attempt; their number is the number of new attempts. */
	readonly retries: readonly number[];
};

export const defaultTimes: Times = {answer: 30_000, stall: 60_000, retries: [1000, 3000, 10_000]};

/** The network failed, or the server did for the moment: another attempt may succeed. */
export class Interrupted extends Error {}

/**
 * An address that can be fetched from.
 * @throws DroverError `image.unusable`
 */
export function checkedUrl(query: string): URL {
	let url: URL;
	try {
		url = new URL(query);
	} catch {
		throw new DroverError('image.unusable', `${plainLine(query).slice(0, 200)} is not a valid address.`, {
			next: 'Write it as https://host/path/image.qcow2.',
		});
	}
	if (url.username !== '' || url.password !== '') {
		throw new DroverError('image.unusable', 'An image’s address must not hold a user name or password.', {
			next: 'Download the image yourself and launch it from file:///path/to/image.qcow2.',
		});
	}
	url.hash = '';
	return url;
}

/**
 * One request, redirects followed; from https only to https.
 * @throws Interrupted; DroverError `image.download`, `image.untrusted` (the certificate), `operation.cancelled`
 */
export async function request(
	start: URL,
	options: {method: 'GET' | 'HEAD'; headers?: Record<string, string>; signal: AbortSignal; answerTimeout: number},
): Promise<Response> {
	let url = start;
	for (let count = 0; count <= maximumRedirects; count++) {
		const response = await once(url, options);
		const location = response.headers.get('location');
		if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
		await response.body?.cancel();
		url = redirected(url, location, start);
	}
	throw new DroverError('image.download', `${start.host} redirects too often.`, {next: 'Check the address.'});
}

async function once(
	url: URL,
	options: {method: string; headers?: Record<string, string>; signal: AbortSignal; answerTimeout: number},
): Promise<Response> {
	const late = new AbortController();
	const timer = setTimeout(() => late.abort(new Error('no answer')), options.answerTimeout);
	try {
		return await fetch(url, {
			method: options.method,
			redirect: 'manual',
			// The bytes as they are: their number is compared, and compression gains nothing here.
			headers: {'accept-encoding': 'identity', 'user-agent': 'drover', ...options.headers},
			signal: AbortSignal.any([options.signal, late.signal]),
		});
	} catch (error) {
		throwIfCancelled(options.signal);
		const distrust = certificateProblem(error);
		if (distrust !== undefined) throw untrustedServer(url, distrust, error);
		throw new Interrupted(
			late.signal.aborted ? `${url.host} does not answer` : `${url.host} cannot be reached: ${causeWords(error)}`,
			{cause: error},
		);
	} finally {
		clearTimeout(timer);
	}
}

function redirected(from: URL, location: string, start: URL): URL {
	const failed = (why: string) =>
		new DroverError('image.download', `${start.host} redirects ${why}.`, {next: 'Check the address.'});
	let target: URL;
	try {
		target = new URL(location, from);
	} catch {
		throw failed('to something that is not an address');
	}
	if (target.protocol !== 'https:' && target.protocol !== 'http:') {
		throw failed(`to ${plainLine(target.protocol)}, which is not followed`);
	}
	if (from.protocol === 'https:' && target.protocol === 'http:') {
		throw failed('from https to http, which would not be safe');
	}
	if (target.username !== '' || target.password !== '') throw failed('to an address with a password');
	return target;
}

/** Why a server's certificate was not accepted, as the end of "its certificate …"; `undefined` for other failures. */
export function certificateProblem(error: unknown): string | undefined {
	const {code} = rootOf(error);
	const words: Readonly<Record<string, string>> = {
		CERT_HAS_EXPIRED: 'has expired',
		CERT_NOT_YET_VALID: 'is not valid yet',
		CERT_REVOKED: 'was revoked',
		CERT_SIGNATURE_FAILURE: 'has a wrong signature',
		DEPTH_ZERO_SELF_SIGNED_CERT: 'is signed by itself only',
		SELF_SIGNED_CERT_IN_CHAIN: 'is signed by an authority this machine does not know',
		UNABLE_TO_GET_ISSUER_CERT: 'is signed by an authority this machine does not know',
		UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is signed by an authority this machine does not know',
		UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is signed by an authority this machine does not know',
		ERR_TLS_CERT_ALTNAME_INVALID: 'is for another name',
	};
	if (code === undefined) return undefined;
	return words[code] ?? (/CERT|CRL_/.test(code) ? `is not accepted (${code})` : undefined);
}

function untrustedServer(url: URL, problem: string, cause: unknown): DroverError {
	return new DroverError('image.untrusted', `${url.host} cannot be trusted: its certificate ${problem}.`, {
		next: problem.includes('authority')
			? 'If an authority of your own has signed it, name its certificate in NODE_EXTRA_CA_CERTS.'
			: 'Check the address and this machine’s clock.',
		cause,
	});
}

/** What is below a failed fetch. */
function rootOf(error: unknown): {readonly code?: string} {
	const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
	return typeof cause === 'object' && cause !== null ? (cause as {code?: string}) : {};
}
