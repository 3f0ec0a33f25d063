import type {Run} from './programs.ts';

/**
 * Runs a script in the PowerShell that every Windows has, and gives what it wrote; empty when it could not. Handed over
 * encoded, so that no quoting of Windows can change it.
 */
export async function powershell(run: Run, script: string, timeoutMs = 10_000): Promise<string> {
	const whole = `$ErrorActionPreference='Stop';[Console]::OutputEncoding=[Text.Encoding]::UTF8;${script}`;
	const encoded = Buffer.from(whole, 'utf16le').toString('base64');
	const args = ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded];
	const {code, stdout} = await run('powershell.exe', args, {timeoutMs});
	return code === 0 ? stdout : '';
}

/** What `ConvertTo-Json` wrote; `undefined` when it wrote nothing, or something else. */
export function readJson(text: string): unknown {
	try {
		return JSON.parse(text.replace(/^\uFEFF/, ''));
	} catch {
		return undefined;
	}
}
