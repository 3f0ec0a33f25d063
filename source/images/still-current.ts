import {DroverError} from '../model/errors.ts';
import {Interrupted, request, type Times} from './http.ts';
import type {ImageWork} from './image.ts';
import type {Validators} from './partial.ts';
import {validatorsOf} from './transfer.ts';

/** Asks the server whether what we have is what it has. A server that cannot be asked changes nothing: we have one. */
export async function isStillCurrent(
	url: URL,
	entry: {readonly validators: Validators; readonly at: string},
	work: ImageWork,
	times: Times,
): Promise<boolean> {
	const instead = (why: string) => {
		work.log(`${why}: using the image that was downloaded at ${entry.at}.`);
		return true;
	};
	work.progress('asking whether the image has changed');
	try {
		const response = await request(url, {method: 'HEAD', signal: work.signal, answerTimeout: times.answer});
		await response.body?.cancel();
		if (!response.ok) return instead(`${url.host} answers with status ${response.status}`);
		const current = validatorsOf(response);
		const known = Object.keys(entry.validators).filter(name => name in current);
		return known.length > 0 && known.every(name => current[name] === entry.validators[name]);
	} catch (error) {
		if (error instanceof Interrupted) return instead(error.message);
		if (error instanceof DroverError && error.code === 'image.untrusted') return instead(error.message);
		throw error;
	}
}
