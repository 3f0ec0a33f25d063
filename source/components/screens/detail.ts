import {forwardText} from '../../model/forward.ts';
import {type InstanceView, linkedText} from '../../model/instance.ts';
import type {MountView} from '../../model/mount.ts';
import type {PrivatePlace} from '../../model/private-network.ts';
import {formatSize} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {bar} from '../pieces/box.ts';
import {stateText} from '../pieces/columns.ts';
import {fill, fitLine, type Line, line, span, wrap} from '../pieces/line.ts';
import {stateLooks} from '../pieces/theme.ts';
import {moment} from '../pieces/times.ts';
import type {DetailLayer, Model} from '../store/model.ts';
import {driverOf} from '../store/selectors.ts';
import {hasUsage, usageLines} from './detail-usage.ts';
import {abilityLines} from './table.ts';

const tabs = ['Overview', 'Events', 'Console'] as const;

/** Everything about one instance, on three tabs. */
export function detailLines(model: Model, layer: DetailLayer, width: number, height: number): readonly Line[] {
	const instance = model.roster.byId.get(layer.id);
	if (!instance) {
		return fill([[], line('  The instance is gone.', 'problem'), [], line('  esc  back to the table')], height);
	}
	const head: readonly Line[] = [summary(instance), tabLine(layer), line('─'.repeat(width), 'dim')];
	const room = height - head.length;
	const body = bodyOf(model, layer, instance, width);
	const top = Math.max(0, Math.min(layer.top, body.length - room));
	const shown = body.slice(top, top + room);
	const isCut = top + room < body.length;
	const last = isCut
		? [...shown.slice(0, -1), line(`${body.length - top - room + 1} more lines below (j)`, 'dim')]
		: shown;
	return fill([...head, ...last.map(content => [span(' '), ...content])], height);
}

function bodyOf(model: Model, layer: DetailLayer, instance: InstanceView, width: number): readonly Line[] {
	return [overview, events, consoleTab][layer.tab]!(model, layer, instance, width - 2);
}

/** How many lines there are to scroll through on the tab that is shown. */
export function detailLength(model: Model, layer: DetailLayer): number {
	const instance = model.roster.byId.get(layer.id);
	return instance ? bodyOf(model, layer, instance, model.size.columns).length : 0;
}

function summary(instance: InstanceView): Line {
	const {style} = stateLooks[instance.state];
	return [
		span(` ${plainLine(instance.name)}  `, 'bold'),
		span(stateText(instance), style),
		span(
			`   ${plainLine(instance.image.release)}   ${instance.cpus} cpu  ${formatSize(instance.memory)}  ${formatSize(instance.disk)}`,
		),
	];
}

function tabLine({tab}: DetailLayer): Line {
	return tabs.flatMap((title, index) => [
		span(' '),
		span(index === tab ? `[${index + 1} ${title}]` : ` ${index + 1} ${title} `, index === tab ? 'bold' : undefined),
	]);
}

const fact = (name: string, value: string, width: number): readonly Line[] =>
	wrap(value === '' ? '-' : value, width - 12).map((part, index) => [
		span((index === 0 ? name : '').padEnd(12), 'dim'),
		span(part),
	]);

function overview(model: Model, {detail, error}: DetailLayer, instance: InstanceView, width: number): readonly Line[] {
	const driver = driverOf(model);
	const since = instance.runningSince === undefined ? '' : `since ${moment(instance.runningSince)}`;
	return [
		...(instance.operation
			? fact('Under way', `${plainLine(instance.operation.kind)}: ${plainLine(instance.operation.stage)}`, width)
			: []),
		...(instance.reason ? [...wrap(plainLine(instance.reason), width).map(part => line(part, 'problem')), []] : []),
		...(since === '' ? [] : fact('Running', since, width)),
		...(instance.shutdownAt ? fact('Stops at', moment(instance.shutdownAt), width) : []),
		...(instance.suspendedBy
			? fact('Suspended', instance.suspendedBy === 'user' ? 'by you' : 'by the switch', width)
			: []),
		...fact('IPv4', instance.ipv4.map(plainLine).join('  '), width),
		...fact(
			'SSH',
			instance.ssh ? plainLine(`${instance.ssh.user}@${instance.ssh.host} port ${instance.ssh.port}`) : '',
			width,
		),
		...(hasUsage(model, instance) ? [[], ...usageLines(model, instance, width)] : []),
		...guestLines(detail, error, instance, width, hasUsage(model, instance)),
		[],
		...fact('Image', plainLine(`${instance.image.release} (${instance.image.query})`), width),
		...(instance.kind ? fact('Type', kinds[instance.kind], width) : []),
		...(instance.member ? fact('Member', plainLine(instance.member), width) : []),
		...(instance.mounts ?? []).flatMap((mount, index) => fact(index === 0 ? 'Mounts' : '', mountText(mount), width)),
		...(instance.forwards ?? []).flatMap((forward, index) =>
			fact(index === 0 ? 'Forwards' : '', forwardText(forward), width),
		),
		...fact('Created', `${moment(instance.createdAt)} by ${plainLine(instance.createdBy)}`, width),
		...(detail
			? [
					...(detail.privateNetwork === undefined ? [] : fact('Private', privateText(detail.privateNetwork), width)),
					...fact('MAC', plainLine(detail.mac), width),
					...(detail.nics ?? []).flatMap((nic, index) =>
						fact(index === 0 ? 'Networks' : '', plainLine(`${nic.network}  ${nic.mac}  ${nic.mode}`), width),
					),
					...(detail.pid === undefined
						? []
						: fact('Process', `${detail.pid}${detail.accelerator ? `, ${plainLine(detail.accelerator)}` : ''}`, width)),
					...(detail.suspended
						? fact(
								'Saved memory',
								`${formatSize(detail.suspended.size)}, ${moment(detail.suspended.at)}, by ${plainLine(`${detail.suspended.driver} ${detail.suspended.version}`)}`,
								width,
							)
						: []),
					...(detail.linked ? fact('Linked', plainLine(linkedText(detail.linked)), width) : []),
					...fact('Directory', plainLine(detail.directory), width),
					...(detail.notes ?? []).flatMap((note, index) => fact(index === 0 ? 'Notes' : '', plainLine(note), width)),
				]
			: []),
		[],
		...(driver ? abilityLines(instance, driver, width, true) : []),
	];
}

const kinds = {container: 'container', 'virtual-machine': 'virtual machine'} as const;

/** `/srv/data -> /data  native`. */
export function mountText({source, target, type, problem}: MountView): string {
	return plainLine(`${source} -> ${target}  ${type}${problem === undefined ? '' : `: ${problem}`}`);
}

function privateText({address, name, problem}: PrivatePlace): string {
	return plainLine(`${address}  ${name}${problem === undefined ? '' : `: ${problem}`}`);
}

function guestLines(
	detail: DetailLayer['detail'],
	error: DetailLayer['error'],
	instance: InstanceView,
	width: number,
	isMemoryShown: boolean,
): readonly Line[] {
	if (error) return wrap(`Not known: ${plainLine(error.message)}`, width).map(part => line(part, 'problem'));
	if (!detail) return instance.state === 'Running' ? [line('asking the guest ...', 'dim')] : [];
	if (detail.guestError) return fact('Guest', plainLine(detail.guestError.message), width);
	const {guest} = detail;
	if (!guest) return [];
	const use = (name: string, used: number, total: number) => {
		const percent = total > 0 ? (used / total) * 100 : 0;
		return fact(name, `${bar(percent, 20)} ${formatSize(used)} of ${formatSize(total)}`, width);
	};
	return [
		...(guest.load ? fact('Load', guest.load.map(value => value.toFixed(2)).join(' '), width) : []),
		...(guest.memory && !isMemoryShown ? use('Memory', guest.memory.used, guest.memory.total) : []),
		...Object.entries(guest.disks ?? {}).flatMap(([name, disk]) =>
			use(`Disk ${plainLine(name)}`.slice(0, 11), disk.used, disk.total),
		),
	];
}

function events(_model: Model, layer: DetailLayer, _instance: InstanceView, width: number): readonly Line[] {
	if (layer.error && !layer.events) return [line(plainLine(layer.error.message), 'problem')];
	if (!layer.events) return [line('loading ...', 'dim')];
	if (layer.events.length === 0) return [line('Nothing has happened to it yet.', 'dim')];
	// Newest first: what one looks for is nearly always the last thing that happened.
	return layer.events.toReversed().flatMap(event => {
		const head = moment(event.at).padEnd(14);
		const text = `${plainLine(event.what)}${event.by ? ` by ${plainLine(event.by)}` : ''}`;
		return wrap(text, width - 14).map(
			(part, row): Line => [span(row === 0 ? head : ' '.repeat(14), 'dim'), span(part)],
		);
	});
}

function consoleTab(_model: Model, layer: DetailLayer, _instance: InstanceView, width: number): readonly Line[] {
	if (layer.error && !layer.console) return [line(plainLine(layer.error.message), 'problem')];
	if (!layer.console) return [line('loading ...', 'dim')];
	if (layer.console.length === 0) return [line('The console is empty: the guest has written nothing yet.', 'dim')];
	return layer.console.map(text => fitLine(line(plainLine(text)), width));
}
