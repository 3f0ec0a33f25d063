import type {InstanceView} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import {stateText} from '../pieces/columns.ts';
import {type Line, line, span, spread} from '../pieces/line.ts';
import {stateLooks} from '../pieces/theme.ts';

/** The first lines of a page about one part of an instance. */
export function pageHead(instance: InstanceView | undefined, about: string, width: number): readonly Line[] {
	if (!instance) return [[], line('  The instance is gone.', 'problem'), [], line('  esc  back')];
	const {style} = stateLooks[instance.state];
	return [
		spread(
			[span(` ${plainLine(instance.name)}  `, 'bold'), span(stateText(instance), style)],
			[span(width < 60 ? '' : `${about} `, 'dim')],
			width,
		),
		line('─'.repeat(width), 'dim'),
	];
}

/** So many rows that the chosen one is among them; what is left out is counted. */
export function rowsAround(rows: readonly Line[], chosen: number, room: number): readonly Line[] {
	if (rows.length <= room) return rows;
	const top = Math.max(0, Math.min(chosen - room + 2, rows.length - room));
	const shown = rows.slice(top, top + room);
	const below = rows.length - top - room;
	return below > 0 && room > 1 ? [...shown.slice(0, -1), line(`   ${below + 1} more below`, 'dim')] : shown;
}
