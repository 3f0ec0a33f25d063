import {availability, instanceActions} from '../../engine/availability.ts';
import {driverTitles} from '../../model/driver-name.ts';
import type {InstanceView} from '../../model/instance.ts';
import {formatSize} from '../../model/sizes.ts';
import {isUp} from '../../model/state.ts';
import {plainLine} from '../../model/text.ts';
import {columnsFor, type Extras, rowLine, stateText, titleLine} from '../pieces/columns.ts';
import {hasPane, usageFrom} from '../pieces/layout.ts';
import {fill, fitLine, type Line, line, span, wrap} from '../pieces/line.ts';
import {stateLooks} from '../pieces/theme.ts';
import type {Model} from '../store/model.ts';

const paneWidth = 40;

/** The instance table, with the info pane beside it where there is room. */
export function tableLines(model: Model, width: number, height: number): readonly Line[] {
	const empty = emptyLines(model, width);
	if (empty) return fill(empty, height);
	if (!hasPane(model.size, model.table.isPaneOpen)) return rows(model, width, height);
	const left = rows(model, width - paneWidth - 3, height);
	const right = fill(paneLines(model), height);
	return left.map((content, index) => [
		...fitLine(content, width - paneWidth - 3),
		span(' │ ', 'dim'),
		...fitLine(right[index]!, paneWidth),
	]);
}

/** Which columns there are beside the usual ones: by the driver, and by whether there is anything to say in them. */
function extrasOf({facts, roster, size}: Model): Extras {
	return {
		usage: size.columns >= usageFrom && (facts?.driver.features.includes('metrics') ?? false),
		member: [...roster.byId.values()].some(instance => instance.member !== undefined),
	};
}

function rows(model: Model, width: number, height: number): readonly Line[] {
	const {roster, table, metrics} = model;
	const columns = columnsFor(width, extrasOf(model));
	const ordered = ({name: 'NAME', state: 'STATE', image: 'IMAGE', memory: 'MEM'} as const)[roster.order as 'name'];
	const shown = roster.shown.slice(table.top, table.top + height - 1);
	const lines: Line[] = [titleLine(columns, ordered)];
	for (const [offset, id] of shown.entries()) {
		const instance = roster.byId.get(id);
		if (!instance) continue;
		lines.push(
			rowLine(instance, columns, {
				isCursor: table.top + offset === table.index && id === table.cursor,
				isMarked: table.marks.has(id),
				usage: isUp(instance.state) ? metrics.gauges.get(instance.name)?.shown : undefined,
			}),
		);
	}
	return fill(lines, height);
}

/** What stands in place of the rows when there are none; each kind of nothing looks different and names its next key. */
function emptyLines(model: Model, width: number): readonly Line[] | undefined {
	const {facts, link, roster} = model;
	if (!facts) return connectingLines(model, width);
	if (roster.shown.length > 0) return undefined;
	const say = (texts: readonly string[]): readonly Line[] => [
		[],
		...texts.flatMap(text => wrap(text, width - 4).map(part => line(`  ${part}`))),
	];
	if (roster.byId.size > 0) {
		return say([`0 of ${roster.byId.size} match "${plainLine(roster.filter)}".`, '', 'esc  clears the filter']);
	}
	const title = driverTitles[facts.driver.name];
	if (!facts.driver.health.usable && link.kind === 'live') {
		return [
			[],
			[span('  '), span(`${title} cannot be used.`, 'problem')],
			...say([
				plainLine(facts.driver.health.summary),
				...(facts.driver.health.remedy ? ['', `What to do: ${plainLine(facts.driver.health.remedy)}`] : []),
				'',
				'D  the doctor: what is missing and how to get it',
				'w  other drivers',
				'ctrl-r  look again',
			]),
		];
	}
	const others = facts.elsewhere.filter(scope => scope.count > 0);
	const parked = others.map(({scope, count}) => `${count} in ${driverTitles[scope]}`).join(', ');
	return say([
		`No instances in ${title} yet.${parked === '' ? '' : ` Parked: ${parked}; w goes there.`}`,
		'',
		'n  launches one',
		...(facts.multipass === undefined ? [] : ['I  imports the instances that Multipass has here']),
		'D  the doctor: what this machine can do',
		'?  all keys',
	]);
}

function connectingLines({link}: Model, width: number): readonly Line[] {
	const error = link.kind === 'connecting' ? link.error : undefined;
	if (!error)
		return [[], line('  Connecting to the drover daemon ...'), [], line('  It is started if it does not run.', 'dim')];
	const text = (content: string) => wrap(content, width - 4);
	return [
		[],
		[span('  '), span('The drover daemon cannot be reached.', 'problem')],
		[],
		...text(plainLine(error.message)).map(part => line(`  ${part}`)),
		...(error.next ? text(plainLine(error.next)).map(part => line(`  ${part}`)) : []),
		...(error.cause ? text(plainLine(error.cause)).map(part => line(`  ${part}`, 'dim')) : []),
		[],
		line('  It is tried again by itself.   ctrl-r  tries now   q  quits'),
	];
}

/** The pane about the instance under the cursor: only what is known already, so that a cursor move asks nobody. */
function paneLines(model: Model): readonly Line[] {
	const id = model.table.cursor;
	const instance = id === undefined ? undefined : model.roster.byId.get(id);
	const driver = model.facts?.driver;
	if (!instance || !driver) return [line('no instance is selected', 'dim')];
	const {style} = stateLooks[instance.state];
	const by =
		instance.state === 'Suspended' && instance.suspendedBy
			? ` by ${instance.suspendedBy === 'user' ? 'you' : 'the switch'}`
			: '';
	const lines: Line[] = [
		line(plainLine(instance.name), 'bold'),
		[span(stateText(instance), style), span(by)],
		...(instance.operation ? [line(`  ${plainLine(instance.operation.stage)}`, 'busy')] : []),
		...(instance.reason ? wrap(plainLine(instance.reason), paneWidth).map(part => line(part, 'problem')) : []),
		[],
		fact('IMAGE', plainLine(instance.image.release)),
		fact('SIZE', `${instance.cpus} cpu  ${formatSize(instance.memory)} memory  ${formatSize(instance.disk)} disk`),
		fact('IPV4', instance.ipv4.map(plainLine).join(' ') || '-'),
		...(instance.member ? [fact('MEMBER', plainLine(instance.member))] : []),
		fact('SSH', instance.ssh ? plainLine(`${instance.ssh.user}@${instance.ssh.host}:${instance.ssh.port}`) : '-'),
		...mountFacts(instance),
		[],
		...abilityLines(instance, driver, paneWidth, false),
		[],
		line('enter: all actions, and why not', 'dim'),
	];
	return lines;
}

/** The first few; the page of the instance has them all. */
function mountFacts({mounts = []}: InstanceView): readonly Line[] {
	const shown = mounts
		.slice(0, 3)
		.map(({source, target, problem}) =>
			plainLine(`${source} -> ${target}${problem === undefined ? '' : `: ${problem}`}`),
		);
	const more = mounts.length > shown.length ? [`${mounts.length - shown.length} more (m)`] : [];
	return [...shown, ...more].map((text, index) => fact(index === 0 ? 'MOUNTS' : '', text));
}

const fact = (name: string, value: string): Line => [span(name.padEnd(7), 'dim'), span(value)];

/**
 * CAN NOW, NOT NOW, NOT HERE: every action of the menu, under the answer it would get.
 * @param isFull with the reason of each no
 */
export function abilityLines(
	instance: InstanceView,
	driver: Parameters<typeof availability>[2],
	width: number,
	isFull: boolean,
): readonly Line[] {
	const can: string[] = [];
	const no: Record<'not-now' | 'not-here' | 'not-yet', string[]> = {'not-now': [], 'not-here': [], 'not-yet': []};
	for (const action of instanceActions) {
		const answer = availability(action, instance, driver);
		if (answer.can) can.push(action);
		else if (answer.kind === 'not-yet') no['not-yet'].push(action);
		else no[answer.kind].push(isFull ? `${action}: ${plainLine(answer.reason)}` : action);
	}
	return [
		...block('CAN NOW', [can.join(' ') || 'nothing'], width),
		...block('NOT NOW', isFull ? no['not-now'] : together(no['not-now']), width),
		...block('NOT HERE', isFull ? no['not-here'] : together(no['not-here']), width),
		...block('NOT YET', together(no['not-yet']), width),
	];
}

const together = (words: readonly string[]): readonly string[] => (words.length > 0 ? [words.join(' ')] : []);

function block(title: string, texts: readonly string[], width: number): readonly Line[] {
	const indent = 9;
	const parts = texts.flatMap(text => wrap(text, width - indent));
	return parts.map((part, index) => [span((index === 0 ? title : '').padEnd(indent), 'dim'), span(part)]);
}
