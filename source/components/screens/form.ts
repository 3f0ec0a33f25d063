import {driverTitles} from '../../model/driver-name.ts';
import {formatSize, limits} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {caret} from '../pieces/chrome.ts';
import {fill, fitText, type Line, line, span, spread, wrap} from '../pieces/line.ts';
import {formCommand, formProblems, launchButton, suggestions} from '../store/form.ts';
import {type FormField, type FormLayer, formFields, type Model} from '../store/model.ts';
import {formContext} from '../store/perform.ts';

const titles: Readonly<Record<FormField, string>> = {
	name: 'Name',
	image: 'Image',
	cpus: 'CPUs',
	memory: 'Memory',
	disk: 'Disk',
};

/** The launch form: limits beside each field, and the same thing as a command line. */
export function formLines(model: Model, form: FormLayer, width: number, height: number): readonly Line[] {
	const {facts} = model;
	const problems = formProblems(form, formContext(model));
	const host = facts?.host;
	const free = host ? `free: ${host.cpus} cpu, ${formatSize(host.memoryAvailable)}, ${formatSize(host.diskFree)} ` : '';
	const notes: Readonly<Record<FormField, string>> = {
		name: 'blank = a generated name',
		image: imageNote(form),
		cpus: host ? `1-${host.cpus}` : 'at least 1',
		memory: `min ${formatSize(limits.memoryMinimum)}${host ? `, ${formatSize(host.memoryAvailable)} free` : ''}; blank = image's`,
		disk: `min ${formatSize(limits.diskMinimum)}, thin; blank = image's`,
	};
	const lines: Line[] = [
		spread(
			[span(` Launch an instance on ${facts ? driverTitles[facts.driver.name] : '?'}`, 'bold')],
			[span(free, 'dim')],
			width,
		),
		[],
	];
	for (const [index, field] of formFields.entries()) {
		lines.push(fieldLine(form, field, index, notes[field], problems[field] !== undefined, width));
		const problem = problems[field];
		if (problem !== undefined) lines.push([span(' '.repeat(16)), span(`▲ ${problem}`, 'problem')]);
		if (field === 'image' && form.focus === index) lines.push(...suggestionLines(form, width));
	}
	const isFocused = form.focus === launchButton;
	lines.push(
		[],
		[
			span(isFocused ? ' > ' : '   ', 'bold'),
			span(form.isSending ? '[ Launching ... ]' : '[ Launch ]', isFocused ? 'selected' : 'bold'),
		],
	);
	const count = Object.keys(problems).length;
	lines.push([], line(' Same on the command line (ctrl-y copies):', 'dim'));
	lines.push(...wrap(formCommand(form, problems), width - 4).map(part => line(`   ${part}`)));
	if (count > 0) {
		const names = (Object.keys(problems) as FormField[]).map(field => titles[field]).join(', ');
		lines.push([], line(` ${count} ${count === 1 ? 'problem' : 'problems'} to fix: ${names}`, 'problem'));
	}
	if (form.error) {
		const text = `${plainLine(form.error.message)}${form.error.next ? ` ${plainLine(form.error.next)}` : ''}`;
		lines.push([], ...wrap(`Not launched: ${text}`, width - 2).map(part => line(` ${part}`, 'problem')));
	}
	return fill(lines, height);
}

function imageNote(form: FormLayer): string {
	if (form.imagesError) return `the list could not be read: ${plainLine(form.imagesError.message)}`;
	if (!form.images) return 'loading the list ...';
	return `type to search ${form.images.length}; file:// https://; blank = default`;
}

function fieldLine(
	form: FormLayer,
	field: FormField,
	index: number,
	note: string,
	isWrong: boolean,
	width: number,
): Line {
	const isFocused = form.focus === index;
	const inner = Math.max(8, Math.min(width >= 100 ? 36 : 24, width - 20));
	const {text, at} = form.fields[field];
	// A long text is shown around its cursor.
	const from = isFocused ? Math.max(0, at - inner + 1) : 0;
	const shown = [...text].slice(from, from + inner).join('');
	const content: Line = isFocused ? caret(shown, at - from) : [span(shown)];
	const used = [...shown].length + (isFocused && at - from >= [...shown].length ? 1 : 0);
	return [
		span(isFocused ? ' > ' : '   ', 'bold'),
		span(fitText(titles[field], 11), isWrong ? 'problem' : undefined),
		span('[ '),
		...content,
		span(`${' '.repeat(Math.max(0, inner - used))} ]  `),
		span(note, 'dim'),
	];
}

function suggestionLines(form: FormLayer, width: number): readonly Line[] {
	return suggestions(form).map((image, index) => {
		const name = fitText(plainLine(image.name), 14);
		const about = `${fitText(plainLine(image.description || image.release), Math.max(10, Math.min(36, width - 50)))}  ${image.cached ? 'cached' : 'to fetch'}`;
		const isChosen = form.suggestion === index;
		return [
			span(' '.repeat(14)),
			span(isChosen ? '> ' : '  ', 'bold'),
			span(name, isChosen ? 'bold' : undefined),
			span(` ${about}`, 'dim'),
		];
	});
}
