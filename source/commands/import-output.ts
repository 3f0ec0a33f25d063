import {driverTitles} from '../model/driver-name.ts';
import type {ImportLine, ImportPlan} from '../model/import-plan.ts';
import type {OperationView} from '../model/operation.ts';
import {formatSize} from '../model/sizes.ts';
import {listOf, plainLine} from '../model/text.ts';
import {compactTable, wrap} from './formats.ts';

/** What became of an import, as it is given to programs. */
export type Outcome = {
	readonly imported: ReadonlyArray<{readonly ref: string; readonly name: string; readonly notes: readonly string[]}>;
	readonly here: ReadonlyArray<{readonly ref: string; readonly name: string; readonly reason: string}>;
	readonly skipped: ReadonlyArray<{
		readonly ref: string;
		readonly name: string;
		readonly reason: string;
		readonly next?: string;
	}>;
};

/** @param operation the work that ended; absent: there was nothing to do */
export function outcomeOf(plan: ImportPlan, operation: OperationView | undefined): Outcome {
	const skip = ({ref, name}: ImportLine, reason: string, next: string | undefined) => ({
		ref,
		name,
		reason: plainLine(reason).replace(/\.$/, ''),
		...(next === undefined ? {} : {next: plainLine(next)}),
	});
	const imported: Array<Outcome['imported'][number]> = [];
	const here: Array<Outcome['here'][number]> = [];
	const skipped: Array<Outcome['skipped'][number]> = [];
	for (const line of plan.instances) {
		if (line.verdict === 'here') here.push({ref: line.ref, name: line.name, reason: line.reason ?? ''});
		else if (line.verdict === 'skip') skipped.push(skip(line, line.reason ?? '', line.next));
		else {
			const item = operation?.items.find(each => each.target === line.name);
			if (item?.state === 'done') imported.push({ref: line.ref, name: line.name, notes: line.notes});
			else skipped.push(skip(line, item?.error?.message ?? 'it was not begun', item?.error?.next));
		}
	}
	return {imported, here, skipped};
}

/** One line for each instance, and one for all. */
export function outcomeText(plan: ImportPlan, {imported, here, skipped}: Outcome): string {
	if (plan.instances.length === 0) return nothingText(plan);
	const renamed = ({ref, name}: {ref: string; name: string}) => (ref === name ? name : `${ref}, as ${name}`);
	const lines = [
		...imported.flatMap(each => [
			`${renamed(each)}: imported`,
			...each.notes.flatMap(note => wrap(plainLine(note), 77).map(part => `  ${part}`)),
		]),
		...here.map(({ref, reason}) => `${ref}: ${plainLine(reason)}`),
		...skipped.flatMap(({ref, reason, next}) => [
			`${ref}: skipped: ${reason}`,
			...(next === undefined ? [] : wrap(next, 77).map(part => `  ${part}`)),
		]),
	];
	const counts = [
		`${imported.length} imported`,
		...(here.length === 0 ? [] : [`${here.length} here already`]),
		...(skipped.length === 0 ? [] : [`${skipped.length} skipped`]),
	];
	const kept =
		imported.length === 0 ? '' : ' The originals stay as they are; "drover start NAME" boots what was imported.';
	return `${lines.join('\n')}\n${listOf(counts)}.${kept}\n`;
}

/** What an import would do, for reading. */
export function planText(plan: ImportPlan): string {
	if (plan.instances.length === 0) return nothingText(plan);
	const rows = plan.instances.map(line => [
		line.ref,
		line.state,
		line.verdict === 'import' ? 'import' : line.verdict === 'here' ? 'here' : 'skip',
		line.verdict === 'import' ? formatSize(line.bytes) : '',
		line.verdict === 'import'
			? `${line.ref === line.name ? '' : `as ${line.name}, `}${line.cpus} CPU, ${formatSize(line.memory)} memory, ${formatSize(line.disk)} disk`
			: plainLine(line.reason ?? ''),
	]);
	const remarks = plan.instances.flatMap(({ref, notes, next}) => [
		...notes.map(note => `${ref}: ${plainLine(note)}`),
		...(next === undefined ? [] : [`${ref}: ${plainLine(next)}`]),
	]);
	return [
		`From ${plainLine(plan.directory ?? '')} into ${driverTitles[plan.driver]}; nothing has been changed yet.`,
		'',
		compactTable([['Name', 'State', '', 'Copy', ''], ...rows]),
		...remarks.flatMap(remark => wrap(remark, 79)),
		...(remarks.length === 0 ? [] : ['']),
		`Needs up to ${formatSize(plan.needsBytes)} of disk (${formatSize(plan.freeBytes)} free). The originals are only read.`,
		'',
	].join('\n');
}

function nothingText({directory, lookedAt}: ImportPlan): string {
	return directory === undefined
		? `No data of Multipass was found in ${listOf(lookedAt.map(plainLine), 'or')}; --from names another directory.\n`
		: `Multipass has no instances in ${plainLine(directory)}.\n`;
}

/** What of their data could not be read. */
export function problemText({problems}: ImportPlan): string {
	return problems.map(problem => `${plainLine(problem)}\n`).join('');
}
