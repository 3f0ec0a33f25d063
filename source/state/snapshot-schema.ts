import * as v from 'valibot';
import {nameProblem} from '../model/names.ts';
import {longestComment, type SnapshotTree, treeProblem} from '../model/snapshot.ts';
import {count, cpus, mounts, nics, positive, time} from './schema-parts.ts';

/** The version of the form that this program writes. */
const treeVersion = 1;

const name = v.pipe(
	v.string(),
	v.check(text => nameProblem(text) === undefined, 'is not a name'),
);

/** Goes into command lines of hypervisors. */
export const tag = v.pipe(v.string(), v.regex(/^[a-z][\da-z-]{1,60}$/, 'is not a tag'));

const planned = {
	tag,
	name,
	comment: v.pipe(
		v.string(),
		v.maxLength(longestComment),
		v.check(text => !/[\u0000-\u0008\u000B-\u001F\u007F]/.test(text), 'has control characters'),
	),
	createdAt: time,
	state: v.picklist(['Stopped', 'Running']),
	hardware: v.object({cpus, memory: positive, disk: positive, nics: v.optional(nics)}),
	mounts,
};

export const plannedSnapshot = v.object(planned);

const schema = v.object({
	schema: v.literal(treeVersion),
	taken: count,
	head: v.optional(name),
	snapshots: v.pipe(v.array(v.object({...planned, index: positive, parent: v.optional(name)})), v.maxLength(10_000)),
});

/** Reads the text of a tree. @returns what is wrong with it, in words, when it is not one */
export function parseTree(text: string): SnapshotTree | string {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return text.trim() === '' ? 'the file is empty' : 'the file is not valid JSON';
	}
	const version = (json as {schema?: unknown} | null)?.schema;
	if (typeof version === 'number' && version > treeVersion) {
		return `the file was written by a newer drover (form ${version}, this one knows ${treeVersion})`;
	}
	const result = v.safeParse(schema, json);
	if (!result.success) {
		const [issue] = result.issues;
		const where = v.getDotPath(issue);
		return `${where ? `${where}: ` : ''}${issue.message}`.slice(0, 300);
	}
	const tree = result.output as SnapshotTree;
	return treeProblem(tree) ?? tree;
}
