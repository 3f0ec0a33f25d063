import type {InstanceRecord} from '../../model/instance.ts';
import type {DriverEvent} from '../driver.ts';
import {projectOf, type Shared} from './context.ts';

/** Passes on what the server tells of an instance. What drover itself is just doing to it is not told. */
export function watch(
	{events, lanes, setting}: Shared,
	record: InstanceRecord,
	listener: (event: DriverEvent) => void,
): {close(): void} {
	const {id, name} = record;
	const project = projectOf(record, setting);
	return events.listen(event => {
		if ('instance' in event) {
			if (event.instance !== name || event.project !== project || lanes.isBusy(id)) return;
			listener({id, what: event.what});
		} else listener({id, what: event.what === 'lost' ? 'lost sight of' : 'seen again'});
	});
}
