import type {OperationItem} from '../model/operation.ts';
import {plainLine} from '../model/text.ts';

/** What an image goes through before an instance is made from it, as the images' room tells it. */
const ofImages: ReadonlyArray<readonly [stage: RegExp, line: string]> = [
	[/^checking the image/, 'Verifying image'],
	[/^unpacking the image/, 'Extracting image'],
	[/^(?:preparing the image|making the disk)/, 'Preparing image'],
	[/^(?:downloading|copying) the image/, 'Retrieving image'],
];
const ofInstance: ReadonlyArray<readonly [stage: RegExp, line: (name: string) => string]> = [
	[/^(?:creating|queued$)/, name => `Creating ${name}`],
	[/^(?:configuring|making the instance)/, name => `Configuring ${name}`],
	[/^(?:starting|waiting for the guest to answer)/, name => `Starting ${name}`],
	[/^waiting for initialization/, () => 'Waiting for initialization to complete'],
	[/^mounting /, name => `Mounting in ${name}`],
];
/** Ways to an image that Multipass has no word for. */
const toImage =
	/^(?:building|fetching packages|reading package lists|unpacking packages|looking up|asking|waiting for another)/;

/** A line of a launch's progress, in Multipass's words; what is known besides stands behind them. */
export function launchLine({target, stage, percent}: Pick<OperationItem, 'target' | 'stage' | 'percent'>): string {
	const line = lineOf(plainLine(target), plainLine(stage));
	if (percent === undefined) return line;
	return `${line}${line.includes(': ') ? ' ' : ': '}${Math.floor(percent)}%`;
}

function lineOf(name: string, stage: string): string {
	const usual = / \(usually \d+ s\)$/.exec(stage)?.[0] ?? '';
	const plain = stage.slice(0, stage.length - usual.length);
	for (const [pattern, line] of ofImages) {
		// How much has come stands behind a comma.
		if (pattern.test(plain)) return `${line}${plain.replace(/^[^,]*/, '')}${usual}`;
	}
	if (toImage.test(plain)) return `Retrieving image: ${plain}`;
	for (const [pattern, line] of ofInstance) {
		if (!pattern.test(plain)) continue;
		const detail = /^waiting for initialization: (.+)$/.exec(plain)?.[1];
		return `${line(name)}${detail === undefined ? '' : ` (${detail})`}${usual}`;
	}
	return `Launching ${name}${plain === '' ? '' : `: ${plain}`}`;
}
