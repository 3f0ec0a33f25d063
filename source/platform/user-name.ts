import {userInfo} from 'node:os';
import process from 'node:process';
import {plainLine} from '../model/text.ts';

/** Who runs this, for the records: by the environment where that tells, as the user data base takes a while. */
export function userName(variables: NodeJS.ProcessEnv = process.env): string {
	return environmentUser(variables) ?? accountName();
}

/** The name of the account itself, whatever the environment says. */
export function accountName(): string {
	try {
		return plainLine(userInfo().username);
	} catch {
		return String(process.getuid?.() ?? 'unknown');
	}
}

export function environmentUser(variables: NodeJS.ProcessEnv): string | undefined {
	const name = variables['USER'] || variables['LOGNAME'] || variables['USERNAME'];
	return name ? plainLine(name).slice(0, 100) : undefined;
}
