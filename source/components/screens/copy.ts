import {boxed} from '../pieces/box.ts';
import {type Line, line, span, wrap} from '../pieces/line.ts';
import type {Layer} from '../store/model.ts';

/** What can be copied, as raw text: where the terminal takes no OSC 52 it can still be selected. */
export function copyLines(layer: Extract<Layer, {kind: 'copy'}>, width: number, height: number): readonly Line[] {
	const inner = width - 4;
	const content: Line[] = layer.choices.flatMap((choice, index) =>
		wrap(choice, inner - 2).map(
			(part, row): Line => [
				span(index === layer.index && row === 0 && layer.choices.length > 1 ? '> ' : '  ', 'bold'),
				span(part),
			],
		),
	);
	const note =
		layer.copied === undefined
			? 'enter  copies the line to your terminal'
			: 'Sent to your terminal (OSC 52). If it was not taken, select the text above.';
	return boxed(
		layer.title,
		[...content.slice(0, height - 5), [], ...wrap(note, inner).map(part => line(part, 'dim'))],
		width,
	);
}
