import type {Member} from '../../model/switch.ts';
import type {Scene} from '../scene.ts';

/**
 * The instances of a scene as the planner needs to know them.
 * @param loader the scene whose driver would load their saved memory
 */
export async function membersOf(scene: Scene, loader: Scene | undefined): Promise<Member[]> {
	return Promise.all(
		scene.instances.all().map(async entry => {
			const {view, stored} = entry;
			const busy = entry.work[0] ?? entry.aside?.hand;
			const common = {
				id: view.id,
				name: view.name,
				state: view.state,
				memory: view.memory,
				...(busy === undefined ? {} : {busyWith: busy.kind}),
			};
			if (stored.kind === 'broken') return {...common, wasRunning: false, policy: 'never' as const};
			const {record} = stored;
			const problem = record.suspended
				? await loader?.driver.loadProblem?.(record, scene.instances.place(entry))
				: undefined;
			return {
				...common,
				wasRunning: record.parked !== undefined,
				policy: record.restore ?? ('as-it-was' as const),
				...(record.suspended ? {savedBytes: record.suspended.size} : {}),
				...(problem === undefined ? {} : {cannotLoad: problem}),
			};
		}),
	);
}
