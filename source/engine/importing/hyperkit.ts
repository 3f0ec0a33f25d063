import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {scopeOf} from '../../model/driver-name.ts';
import {causeText, DroverError} from '../../model/errors.ts';
import type {ImportPlan} from '../../model/import-plan.ts';
import type {OperationView} from '../../model/operation.ts';
import {plainLine} from '../../model/text.ts';
import {writeAtomic} from '../../state/atomic.ts';
import type {ImportAnswer} from '../engine.ts';
import type {Operations} from '../operations.ts';
import type {Scene} from '../scene.ts';
import {hyperkitScope} from './hyperkit-boot.ts';
import {findData} from './read.ts';

export type HyperkitParts = {
	readonly operations: Operations;
	readonly tell: (level: 'info' | 'warning', text: string) => void;
};

/**
 * Brings the stopped instances that an old Multipass ran with Hyperkit on macOS into the scope of QEMU, when that is the
 * current one: by copying, the originals stay. What came of each is told once, however often this is tried.
 * Rule: Multipass 1.12, which did so when QEMU was chosen and Hyperkit had been in force.
 */
export async function migrateHyperkit(scene: Scene, parts: HyperkitParts): Promise<void> {
	const {host, shop, driver} = scene;
	if (host.platform !== 'darwin' || scopeOf(driver.name) !== 'qemu') return;
	try {
		const {directory} = await findData(shop.multipassPlaces);
		if (directory === undefined) return;
		const answer = await scene.imports.begin({by: 'drover'}, [hyperkitScope]);
		const ended = answer.operation === undefined ? undefined : await parts.operations.wait(answer.operation.id);
		await tellOnce(shop.paths.data, lines(answer.plan, ended), parts.tell);
	} catch (error) {
		const why = error instanceof DroverError ? error.message : causeText(error);
		parts.tell('warning', `The instances that Multipass ran with Hyperkit were not brought over: ${plainLine(why)}`);
	}
}

type Told = {readonly level: 'info' | 'warning'; readonly text: string};

/** One line for each; what had been brought before has none. */
function lines(plan: ImportPlan, operation: ImportAnswer['operation'] | OperationView): readonly Told[] {
	return [
		...plan.problems.map((text): Told => ({level: 'warning', text})),
		...plan.instances.flatMap(({ref, name, verdict, reason, next}): Told[] => {
			if (verdict === 'here') return [];
			const item = operation?.items.find(each => each.target === name);
			if (verdict === 'import' && item?.state === 'done') {
				return [
					{level: 'info', text: `${ref}, which Multipass ran with Hyperkit, was copied here; the original stays.`},
				];
			}
			const why = reason ?? item?.error?.message ?? 'it was not begun';
			const advice = next ?? item?.error?.next ?? '';
			return [
				{
					level: 'warning',
					text: plainLine(
						`${ref}, which Multipass ran with Hyperkit, was not brought: ${why.replace(/\.$/, '')}. ${advice}`,
					),
				},
			];
		}),
	];
}

/** What was told before is not told at each start. */
async function tellOnce(data: string, told: readonly Told[], tell: HyperkitParts['tell']): Promise<void> {
	const file = path.join(data, 'hyperkit-told.json');
	const before = await readFile(file, 'utf8').then(
		text => new Set(stringsOf(text)),
		() => new Set<string>(),
	);
	const now = told.filter(({text}) => !before.has(text));
	for (const {level, text} of now) tell(level, text);
	if (now.length === 0) return;
	await writeAtomic(file, `${JSON.stringify([...before, ...now.map(({text}) => text)].slice(-1000))}\n`);
}

function stringsOf(text: string): readonly string[] {
	try {
		const value: unknown = JSON.parse(text);
		return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
	} catch {
		return [];
	}
}
