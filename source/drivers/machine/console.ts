import {open, stat, truncate, writeFile} from 'node:fs/promises';

const consoleLimit = 4 * 2 ** 20;
const consoleKept = 2 ** 20;

/** The console's log is appended to for ever; at each start only its last part is kept. */
export async function trimConsole(file: string): Promise<void> {
	const found = await stat(file).catch(() => undefined);
	if (!found) {
		await writeFile(file, '', {mode: 0o600});
		return;
	}
	if (found.size <= consoleLimit) return;
	const handle = await open(file, 'r+');
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(consoleKept), 0, consoleKept, found.size - consoleKept);
		await handle.write(buffer, 0, bytesRead, 0);
		await truncate(file, bytesRead);
	} finally {
		await handle.close();
	}
}
