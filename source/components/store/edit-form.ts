import type {DriverInfo} from '../../engine/engine.ts';
import type {InstanceView} from '../../model/instance.ts';
import {formatSize, parseSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {type FormKind, type FormRow, newForm, textOf} from './form.ts';
import {cpusNote, cpusProblem, memoryNote, memoryProblem, sizeProblem, sizeText} from './form-limits.ts';
import type {FormLayer, Model} from './model.ts';

const hardware = ['cpus', 'memory', 'disk'] as const;
type Hardware = (typeof hardware)[number];

const titles: Readonly<Record<Hardware, string>> = {cpus: 'CPUs', memory: 'Memory', disk: 'Disk'};

/** A form that begins with what the instance has. */
export function newEditForm(instance: InstanceView, driver: DriverInfo): FormLayer {
	const first = hardware.find(name => lockOf(name, instance, driver) === undefined);
	return newForm('edit', {
		id: instance.id,
		focus: first ?? 'cpus',
		fields: {cpus: String(instance.cpus), memory: sizeText(instance.memory), disk: sizeText(instance.disk)},
	});
}

/** The form that changes processors, memory and disk. What is left as it is is not sent. */
export const editForm: FormKind = {
	title: (model, form) => `Change ${plainLine(instanceOf(model, form)?.name ?? 'an instance that is gone')}`,
	isAboutHardware: true,
	button: 'Change',
	busy: 'Changing ...',
	refused: 'Not changed',
	rows: (model, form) => hardware.flatMap(name => rowOf(model, form, name)),
	commands: (model, form) => {
		const instance = instanceOf(model, form);
		if (!instance) return [];
		const changes = changesOf(model, form, instance);
		const words = changes.map(
			([name, text, isWrong]) =>
				`drover set local.${plainLine(instance.name)}.${name}=${isWrong ? '??' : plainLine(text)}`,
		);
		return words.length > 0 ? words : ['nothing is changed yet'];
	},
	request: (model, form) => {
		const instance = instanceOf(model, form);
		if (!instance) return 'The instance is gone: nothing was done.';
		const changes = changesOf(model, form, instance);
		if (changes.length === 0) return 'Nothing is changed: esc leaves.';
		const values = changes.map(([name, text]) => [name, name === 'cpus' ? Number(text) : parseSize(text)]);
		return {type: 'resize', request: {name: instance.name, ...Object.fromEntries(values)}};
	},
};

function instanceOf({roster}: Model, {id = ''}: FormLayer): InstanceView | undefined {
	return roster.byId.get(id);
}

/** Why one of them cannot be changed as the instance is now. */
function lockOf(name: Hardware, instance: InstanceView, driver: DriverInfo): string | undefined {
	if (instance.state === 'Stopped' || driver.resizesLive.includes(name)) return undefined;
	return 'only while it is stopped: stop it first';
}

function rowOf({facts, roster}: Model, form: FormLayer, name: Hardware): readonly FormRow[] {
	const instance = roster.byId.get(form.id ?? '');
	if (!instance || !facts) return [];
	const title = titles[name];
	const {now, note} = about(name, instance, facts.host);
	const lock = lockOf(name, instance, facts.driver);
	if (lock !== undefined) return [{kind: 'fact', name, title, note: `${now}   ${lock}`}];
	const problem = problemOf(name, textOf(form, name), instance, facts.host);
	return [{kind: 'text', name, title, note: `now ${now}; ${note}`, ...(problem === undefined ? {} : {problem})}];
}

function about(name: Hardware, instance: InstanceView, host: Parameters<typeof cpusNote>[0]) {
	switch (name) {
		case 'cpus':
			return {now: String(instance.cpus), note: cpusNote(host)};
		case 'memory':
			return {now: formatSize(instance.memory), note: memoryNote(host)};
		case 'disk': {
			const free = host ? `, ${formatSize(host.diskFree)} free` : '';
			return {now: formatSize(instance.disk), note: `only grows${free}`};
		}
	}
}

function problemOf(
	name: Hardware,
	text: string,
	instance: InstanceView,
	host: Parameters<typeof cpusProblem>[1],
): string | undefined {
	if (text === '') return undefined;
	switch (name) {
		case 'cpus':
			return cpusProblem(text, host);
		case 'memory':
			return memoryProblem(text, host);
		case 'disk': {
			const bytes = parseSize(text);
			// The guest has its files up to the end of it.
			if (bytes !== undefined && bytes < instance.disk) return `a disk only grows: it has ${sizeText(instance.disk)}`;
			return sizeProblem(text, 0);
		}
	}
}

/** What was typed and is not what it has; a blank field leaves it as it is. */
function changesOf(
	model: Model,
	form: FormLayer,
	instance: InstanceView,
): ReadonlyArray<readonly [name: Hardware, text: string, isWrong: boolean]> {
	return hardware.flatMap(name => {
		const [row] = rowOf(model, form, name);
		const text = textOf(form, name);
		if (row?.kind !== 'text' || text === '') return [];
		const isSame = name === 'cpus' ? Number(text) === instance.cpus : parseSize(text) === instance[name];
		return isSame ? [] : [[name, text, row.problem !== undefined] as const];
	});
}
