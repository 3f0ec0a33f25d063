import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {caret} from '../pieces/chrome.ts';
import {fill, fitText, type Line, line, lineWidth, type Span, span, spread, wrap} from '../pieces/line.ts';
import {chosenOption, type FormOption, type FormRow, fieldIn, formButton, isOn, problemsIn} from '../store/form.ts';
import {formKind, rowsOf} from '../store/forms.ts';
import type {FormLayer, Model} from '../store/model.ts';

const titleWidth = 11;
/** Where what is filled in begins. */
const indent = 3 + titleWidth;

/** A form: limits beside each field, what is wrong below it, and the same thing as a command line. */
export function formLines(model: Model, form: FormLayer, width: number, height: number): readonly Line[] {
	const kind = formKind(form);
	const rows = rowsOf(model, form);
	const host = model.facts?.host;
	const free =
		host && kind.isAboutHardware
			? `free: ${host.cpus} cpu, ${formatSize(host.memoryAvailable)}, ${formatSize(host.diskFree)} `
			: '';
	const lines: Line[] = [spread([span(` ${kind.title(model, form)}`, 'bold')], [span(free, 'dim')], width), []];
	let focused = 0;
	for (const row of rows) {
		if (row.name === form.focus) focused = lines.length;
		lines.push(...rowLines(form, row, width));
	}
	const isOnButton = form.focus === formButton;
	lines.push([]);
	if (isOnButton) focused = lines.length;
	lines.push([
		span(isOnButton ? ' > ' : '   ', 'bold'),
		span(`[ ${form.isSending ? kind.busy : kind.button} ]`, isOnButton ? 'selected' : 'bold'),
	]);
	lines.push([], line(' Same on the command line (ctrl-y copies):', 'dim'));
	for (const command of kind.commands(model, form)) {
		lines.push(...wrap(command, width - 4).map(part => line(`   ${part}`)));
	}
	const problems = problemsIn(rows);
	if (problems.length > 0) {
		const names = problems.map(row => row.title).join(', ');
		const count = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`;
		lines.push([], line(` ${count} to fix: ${names}`, 'problem'));
	}
	if (form.error) {
		const text = `${plainLine(form.error.message)}${form.error.next ? ` ${plainLine(form.error.next)}` : ''}`;
		lines.push([], ...wrap(`${kind.refused}: ${text}`, width - 2).map(part => line(` ${part}`, 'problem')));
	}
	return scrolled(lines, focused, form, height);
}

/** All lines where they fit; else those around the row with the keys, and the end when the button has them. */
function scrolled(lines: readonly Line[], focused: number, form: FormLayer, height: number): readonly Line[] {
	if (lines.length <= height) return fill(lines, height);
	const end = lines.length - height;
	// The line below it may be what is wrong with it.
	const wanted = form.focus === formButton ? end : focused + 3 - height;
	const top = Math.max(0, Math.min(wanted, focused, end));
	const shown = lines.slice(top, top + height);
	return top < end && focused < top + height - 1 ? [...shown.slice(0, -1), line('   more below', 'dim')] : shown;
}

function rowLines(form: FormLayer, row: FormRow, width: number): readonly Line[] {
	const isFocused = form.focus === row.name;
	const head = (style?: Span['style']): Line => [
		span(isFocused ? ' > ' : '   ', 'bold'),
		span(fitText(row.title, titleWidth), style),
	];
	switch (row.kind) {
		case 'text': {
			const problem = row.problem;
			return [
				[
					...head(problem === undefined ? undefined : 'problem'),
					...fieldSpans(form, row.name, width),
					span(row.note, 'dim'),
				],
				...(problem === undefined
					? []
					: wrap(`▲ ${problem}`, width - indent - 2).map(part => [
							span(' '.repeat(indent + 2)),
							span(part, 'problem'),
						])),
				...(isFocused ? suggestionLines(form, row.suggestions ?? [], width) : []),
			];
		}
		case 'choice':
			return [[...head(), ...choiceSpans(form, row, isFocused, width), span(`  ${row.note}`, 'dim')]];
		case 'toggle': {
			const mark = isOn(form, row) ? '[x]' : '[ ]';
			const hint = isFocused ? '   space chooses' : '';
			return [[...head(), span(mark, isFocused ? 'selected' : 'bold'), span(` ${row.note}`), span(hint, 'dim')]];
		}
		case 'fact':
			return wrap(row.note, width - indent - 1).map((part, index) => [
				...(index === 0 ? head('dim') : [span(' '.repeat(indent))]),
				span(part, 'dim'),
			]);
	}
}

function fieldSpans(form: FormLayer, name: string, width: number): Line {
	const isFocused = form.focus === name;
	const inner = Math.max(8, Math.min(width >= 100 ? 36 : 24, width - indent - 6));
	const {text, at} = fieldIn(form, name);
	// A long text is shown around its cursor.
	const from = isFocused ? Math.max(0, at - inner + 1) : 0;
	const shown = [...text].slice(from, from + inner).join('');
	const content: Line = isFocused ? caret(shown, at - from) : [span(shown)];
	const used = lineWidth(content);
	return [span('[ '), ...content, span(`${' '.repeat(Math.max(0, inner - used))} ]  `)];
}

/** All options beside each other where there is room, else the chosen one and how many there are. */
function choiceSpans(
	form: FormLayer,
	row: Extract<FormRow, {kind: 'choice'}>,
	isFocused: boolean,
	width: number,
): Line {
	const chosen = chosenOption(form, row);
	const mark = (option: FormOption) => (option === chosen ? '(x)' : option.reason === undefined ? '( )' : '(-)');
	const all: Line = row.options.flatMap((option, index) => [
		span(`${index === 0 ? '' : '  '}`),
		span(mark(option), option === chosen && isFocused ? 'selected' : option.reason === undefined ? 'bold' : 'dim'),
		span(` ${option.label}`, option.reason === undefined ? undefined : 'dim'),
	]);
	if (lineWidth(all) <= width - indent) return all;
	const at = chosen ? row.options.indexOf(chosen) + 1 : 0;
	return [
		span('< ', 'bold'),
		span(chosen?.label ?? '-', isFocused ? 'selected' : 'bold'),
		span(` >  ${at} of ${row.options.length}`),
	];
}

function suggestionLines(
	form: FormLayer,
	suggestions: ReadonlyArray<{readonly value: string; readonly about: string}>,
	width: number,
): readonly Line[] {
	return suggestions.map(({value, about}, index) => {
		const isChosen = form.suggestion === index;
		return [
			span(' '.repeat(indent)),
			span(isChosen ? '> ' : '  ', 'bold'),
			span(fitText(value, 14), isChosen ? 'bold' : undefined),
			span(` ${fitText(about, Math.max(10, Math.min(46, width - indent - 17)))}`, 'dim'),
		];
	});
}
