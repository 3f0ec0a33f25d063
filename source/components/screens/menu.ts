import {driverTitles} from '../../model/driver-name.ts';
import {plainLine} from '../../model/text.ts';
import {keyActions} from '../keys/registry.ts';
import {boxed} from '../pieces/box.ts';
import {fitLine, type Line, line, type Span, span, wrap} from '../pieces/line.ts';
import {type Offer, offers} from '../store/instance-actions.ts';
import type {Layer, Model} from '../store/model.ts';
import {driverOf, targetsOf} from '../store/selectors.ts';

/** The action menu: all actions, always in the same order; what cannot be done says why. */
export function menuLines(
	model: Model,
	layer: Extract<Layer, {kind: 'menu'}>,
	width: number,
	height: number,
): readonly Line[] {
	const targets = targetsOf(model);
	const driver = driverOf(model);
	const [first] = targets;
	if (!driver || !first) {
		return boxed(
			'actions',
			[line('The instance is gone: nothing can be done to it.', 'problem'), line('esc  back')],
			width,
		);
	}
	const title =
		targets.length === 1
			? `${plainLine(first.name)} | ${first.state} | ${driverTitles[driver.name]}`
			: `${targets.length} instances | ${driverTitles[driver.name]}`;
	const inner = width - 4;
	const list = offers(targets, driver);
	const entries: Array<{readonly lines: readonly Line[]; readonly index: number}> = [];
	if (targets.length === 1)
		entries.push({lines: [entryLine(' i ', span('Open details'), '', layer.index === 0, inner)], index: 0});
	const offset = entries.length;
	for (const [position, entry] of list.entries()) {
		const index = position + offset;
		entries.push({lines: offerLines(entry, layer.index === index, inner), index});
	}
	return boxed(title, scroll(entries, layer.index, height - 2), width);
}

/** The entries around the chosen one in so many lines; its first line is always among them. */
function scroll(
	entries: ReadonlyArray<{readonly lines: readonly Line[]; readonly index: number}>,
	chosen: number,
	height: number,
): readonly Line[] {
	const all = entries.flatMap(entry => entry.lines.map(content => ({content, index: entry.index})));
	if (all.length <= height) return all.map(entry => entry.content);
	const first = all.findIndex(entry => entry.index === chosen);
	const last = all.findLastIndex(entry => entry.index === chosen);
	const top = Math.max(0, Math.min(last - height + 2, all.length - height, first));
	const shown = all.slice(top, top + height).map(entry => entry.content);
	if (top + height < all.length) return [...shown.slice(0, -1), line('   more below', 'dim')];
	return shown;
}

const titleWidth = 19;

function entryLine(letter: string, title: Span, note: string, isChosen: boolean, width: number): Line {
	return fitLine(
		[
			span(isChosen ? '> ' : '  ', 'bold'),
			span(letter, 'key'),
			{...title, text: ` ${title.text.padEnd(titleWidth)}`},
			span(note, 'dim'),
		],
		width,
	);
}

function offerLines(entry: Offer, isChosen: boolean, width: number): readonly Line[] {
	const key = keyActions.find(action => action.id === `instance.${entry.action}`)?.keys[0];
	if (entry.answer.can)
		return [
			entryLine(
				` ${key ?? ' '} `,
				span(entry.title, entry.isDanger ? 'problem' : undefined),
				entry.note,
				isChosen,
				width,
			),
		];
	const indent = 6 + titleWidth;
	// Shorter than the reason in full, so that the whole menu stands on a screen of 24 lines.
	const reason = plainLine(entry.answer.reason).replace(/^.* (?:is|are) (?=not in this version)/, '');
	const reasons = wrap(reason, width - indent);
	const letter = key === undefined ? '(-)' : `(${key})`;
	return reasons.map((part, index) =>
		index === 0
			? [span(isChosen ? '> ' : '  ', 'bold'), span(`${letter} ${entry.title.padEnd(titleWidth)}${part}`, 'dim')]
			: [span(' '.repeat(indent)), span(part, 'dim')],
	);
}
