import {plainLine} from '../../model/text.ts';
import {boxed} from '../pieces/box.ts';
import {caret} from '../pieces/chrome.ts';
import {type Line, line, span, wrap} from '../pieces/line.ts';
import type {ConfirmLayer} from '../store/model.ts';

/** A question before something is done: who, what it costs, the same as a command, and the one answer that means yes. */
export function confirmLines(layer: ConfirmLayer, width: number): readonly Line[] {
	const inner = width - 4;
	const answer: readonly Line[] =
		layer.level === 1
			? [[span('y', 'key'), span('  yes          '), span('any other key', 'key'), span('  no (default)')]]
			: [
					[span(`Type ${layer.word ?? ''} to confirm: `), ...caret(layer.field.text, layer.field.at)],
					line('esc  no (default)     enter acts only when the text matches', 'dim'),
				];
	return boxed(
		'',
		[
			...wrap(plainLine(layer.title), inner).map(part => line(part, 'bold')),
			[],
			...layer.effects.flatMap(effect => wrap(plainLine(effect), inner).map(part => line(part))),
			...commandLines(layer.command, inner),
			[],
			...answer,
		],
		width,
	);
}

function commandLines(command: string | undefined, width: number): readonly Line[] {
	if (command === undefined) return [];
	const label = 'same as  ';
	const parts = command.split('\n').flatMap(text => wrap(plainLine(text), width - label.length));
	return [[], ...parts.map((part, index) => [span(index === 0 ? label : ' '.repeat(label.length), 'dim'), span(part)])];
}
