import {plainLine} from '../../model/text.ts';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import {moment} from '../pieces/times.ts';
import type {Layer, Model} from '../store/model.ts';

/** The last alerts, the chosen one in full: cause first, then what to do. */
export function alertsLines(
	{alerts}: Model,
	layer: Extract<Layer, {kind: 'alerts'}>,
	width: number,
	height: number,
): readonly Line[] {
	const chosen = alerts[layer.index];
	if (!chosen) {
		return fill(
			[[], line('  No alerts: nothing has gone wrong since this dashboard was opened.'), [], line('  esc  back')],
			height,
		);
	}
	const about: readonly Line[] = [
		line('─'.repeat(width), 'dim'),
		...wrap(plainLine(chosen.text), width - 2).map(part =>
			line(` ${part}`, chosen.level === 'error' ? 'problem' : undefined),
		),
		...(chosen.next ? wrap(plainLine(chosen.next), width - 2).map(part => line(` ${part}`)) : []),
		...(chosen.cause ? wrap(plainLine(chosen.cause), width - 2).map(part => line(` ${part}`, 'dim')) : []),
	];
	const room = Math.max(2, height - Math.min(about.length, Math.ceil(height / 2)));
	const top = Math.max(0, Math.min(layer.index - room + 1, alerts.length - room));
	const list = alerts.slice(top, top + room).map((alert, index): Line => {
		const isChosen = top + index === layer.index;
		return [
			span(isChosen ? ' > ' : '   ', 'bold'),
			span(`${moment(alert.at)}  `, 'dim'),
			span(fitText(alert.level, 9), alert.level === 'info' ? undefined : 'problem'),
			span(plainLine(alert.text)),
		];
	});
	return fill([...fill(list, Math.min(room, Math.max(list.length, 1))), ...about], height);
}
