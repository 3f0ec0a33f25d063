import type {CommandContext} from './command.ts';

/** Whether there is somebody who can be asked. */
export function isLive({stdin, stdout}: CommandContext): boolean {
	return stdin.isTTY && stdout.isTTY;
}

/** How often is asked before no answer counts as a no. */
const attempts = 3;

/** Asks for a yes or a no, until one is given; Enter alone is a yes. Ask only where there is a terminal. */
export async function askYesNo(question: string, context: CommandContext): Promise<boolean> {
	for (let attempt = 0; attempt < attempts; attempt++) {
		context.stdout.write(`${attempt === 0 ? question : 'Please answer Yes or no:'} `);
		const answer = (await context.stdin.readLine())?.trim().toLowerCase();
		if (answer === undefined) return false;
		if (answer === '' || answer === 'y' || answer === 'yes') return true;
		if (answer === 'n' || answer === 'no') return false;
	}
	return false;
}
