import {causeWords} from '../model/cause-words.ts';
import {Interrupted} from './http.ts';
import {throwIfCancelled} from './run.ts';

/**
 * The bytes of an answer, piece by piece; whoever stops early hangs up.
 * @param stall milliseconds without a byte after which the server is given up
 * @throws Interrupted; DroverError `operation.cancelled`
 */
export async function* bodyOf(
	response: Response,
	{host, stall, signal}: {readonly host: string; readonly stall: number; readonly signal: AbortSignal},
): AsyncGenerator<Uint8Array> {
	if (response.body === null) throw new Interrupted(`${host} sent nothing`);
	const reader = response.body.getReader();
	let isStalled = false;
	let isWaiting = true;
	const hangUp = () => void reader.cancel().catch(() => undefined);
	const watch = setTimeout(() => {
		// What takes long to be done with a piece is no fault of the server.
		if (!isWaiting) return void watch.refresh();
		isStalled = true;
		hangUp();
	}, stall);
	try {
		for (;;) {
			const {done, value} = await reader.read();
			if (isStalled) throw new Interrupted(`${host} sends nothing any more`);
			throwIfCancelled(signal);
			if (done) return;
			isWaiting = false;
			yield value;
			isWaiting = true;
			watch.refresh();
		}
	} catch (error) {
		throwIfCancelled(signal);
		throw error instanceof Interrupted ? error : new Interrupted(causeWords(error), {cause: error});
	} finally {
		clearTimeout(watch);
		hangUp();
	}
}
