import {plainLine} from '../../model/text.ts';
import {push, step} from './layers.ts';
import type {Model, Step} from './model.ts';

/** Copies at once, and shows the raw text for terminals that do not take it. Lines are kept apart. */
export function copyText(model: Model, title: string, text: string): Step {
	const lines = text.split('\n').map(plainLine);
	const plain = lines.join('\n');
	return step(push(model, {kind: 'copy', title, choices: [plain], index: 0, copied: plain}), {
		type: 'copy',
		text: plain,
	});
}
