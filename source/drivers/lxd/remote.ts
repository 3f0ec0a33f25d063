import {connect} from 'node:tls';
import type {LxdEndpoint} from '../../model/guest-access.ts';
import {plainLine} from '../../model/text.ts';
import type {DriverHealth} from '../driver.ts';
import {clientCertificate} from './certificate.ts';
import {fingerprintOf} from './client.ts';
import {LxdError} from './errors.ts';

type HttpsEndpoint = Extract<LxdEndpoint, {kind: 'https'}>;

/** The server that `local.lxd.remote` names: `https://host:port`, and after `#` the certificate it must show. */
export async function remoteEndpoint(setting: string, directory: string): Promise<HttpsEndpoint> {
	const [url = '', fingerprint] = setting.split('#', 2);
	const files = await clientCertificate(directory);
	return {kind: 'https', url, ...files, ...(fingerprint === undefined ? {} : {fingerprint})};
}

/** Why a remote server cannot be used, and what to do. */
export async function remoteHealth(endpoint: HttpsEndpoint, error: unknown): Promise<Omit<DriverHealth, 'checkedAt'>> {
	const {url, certificateFile, fingerprint} = endpoint;
	const bad = (summary: string, remedy?: string) => ({
		installed: true,
		usable: false,
		summary,
		...(remedy === undefined ? {} : {remedy}),
	});
	if (error instanceof LxdError && error.status === 403) {
		return bad(
			`the server at ${url} does not know drover's certificate`,
			`On the server, with ${certificateFile} copied there: lxc config trust add client.crt (Incus: incus config trust add-certificate client.crt).`,
		);
	}
	if (error instanceof LxdError && (error.problem === 'silent' || isConnectionTrouble(error.errno))) {
		return bad(
			`the server at ${url} cannot be reached (${error.message})`,
			'Check the address, and that the server listens: lxc config set core.https_address :8443.',
		);
	}
	const shown = await shownFingerprint(url);
	if (fingerprint === undefined && shown !== undefined) {
		return bad(
			`the server at ${url} shows a certificate that this system does not trust, with the fingerprint ${shown}`,
			`When the server says the same of itself (lxc info | grep fingerprint): drover set "local.lxd.remote=${url}#${shown}".`,
		);
	}
	if (fingerprint !== undefined && shown !== undefined && shown !== fingerprint) {
		return bad(
			`the server at ${url} shows another certificate than the one that was agreed on: ${shown} instead of ${fingerprint}`,
			'Somebody may be in between. Find out why it changed before you set local.lxd.remote anew.',
		);
	}
	return bad(`the server at ${url} cannot be used: ${plainLine((error as Error).message)}`);
}

function isConnectionTrouble(errno: string | undefined): boolean {
	return ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ECONNRESET'].includes(
		errno ?? '',
	);
}

/** The fingerprint of the certificate an address shows, whoever signed it. Nothing is sent. */
function shownFingerprint(url: string): Promise<string | undefined> {
	const {hostname, port} = new URL(url);
	return new Promise(resolve => {
		const socket = connect({host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), rejectUnauthorized: false});
		const end = (value: string | undefined) => {
			socket.destroy();
			resolve(value === '' ? undefined : value);
		};
		socket.setTimeout(4000, () => end(undefined));
		socket.once('error', () => end(undefined));
		socket.once('secureConnect', () => end(fingerprintOf(socket)));
	});
}
