import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
	atSnapshot,
	checkedComment,
	checkSnapshotName,
	childrenOf,
	defaultSnapshotName,
	emptyTree,
	findSnapshot,
	hasName,
	type PlannedSnapshot,
	type SnapshotTree,
	snapshotViews,
	treeProblem,
	withComment,
	withName,
	withoutSnapshot,
	withSnapshot,
} from '../../source/model/snapshot.ts';
import {parseTree} from '../../source/state/snapshot-schema.ts';

const planned = (name: string, tag = `drover-${name}`): PlannedSnapshot => ({
	tag,
	name,
	comment: '',
	createdAt: '2026-01-01T00:00:00.000Z',
	state: 'Stopped',
	hardware: {cpus: 1, memory: 2 ** 28, disk: 2 ** 30},
	mounts: [],
});

const parents = (tree: SnapshotTree) => Object.fromEntries(tree.snapshots.map(({name, parent}) => [name, parent]));

/** a; b and c from a; d from c. The instance is at d. */
const branched = [
	(tree: SnapshotTree) => withSnapshot(tree, planned('a')),
	(tree: SnapshotTree) => withSnapshot(tree, planned('b')),
	(tree: SnapshotTree) => atSnapshot(tree, 'a'),
	(tree: SnapshotTree) => withSnapshot(tree, planned('c')),
	(tree: SnapshotTree) => withSnapshot(tree, planned('d')),
].reduce((tree, step) => step(tree), emptyTree);

describe('a tree of snapshots', () => {
	test('a snapshot comes from where the instance is, and the instance is at it then', () => {
		expect(parents(branched)).toEqual({a: undefined, b: 'a', c: 'a', d: 'c'});
		expect(branched.head).toBe('d');
		expect(childrenOf(branched, 'a')).toEqual(['b', 'c']);
		expect(branched.snapshots.map(({index}) => index)).toEqual([1, 2, 3, 4]);
		expect(snapshotViews(branched)[0]).toMatchObject({name: 'a', children: ['b', 'c']});
		expect(snapshotViews(branched)[0]).not.toHaveProperty('tag');
	});

	test('taken once more, as after a crash, it is there once', () => {
		expect(withSnapshot(branched, planned('d'))).toBe(branched);
	});

	test('the children of a deleted one belong to its parent, and so does the instance', () => {
		const without = withoutSnapshot(branched, 'drover-c');
		expect(parents(without)).toEqual({a: undefined, b: 'a', d: 'a'});
		expect(without.head).toBe('d');
		const gone = withoutSnapshot(withoutSnapshot(without, 'drover-d'), 'drover-a');
		expect(parents(gone)).toEqual({b: undefined});
		expect(gone).not.toHaveProperty('head');
		// What was taken stays counted.
		expect(gone.taken).toBe(4);
		expect(defaultSnapshotName(gone, hasName(gone))).toBe('snapshot5');
	});

	test('another name is another name everywhere', () => {
		const renamed = withName(withName(branched, 'c', 'x'), 'd', 'y');
		expect(parents(renamed)).toEqual({a: undefined, b: 'a', x: 'a', y: 'x'});
		expect(renamed.head).toBe('y');
	});

	test('names: the rule of instances, once each; the one nobody chose passes over those there are', () => {
		const isTaken = hasName(branched);
		expect(() => checkSnapshotName('web', 'a', isTaken)).toThrow('instance "web" already has a snapshot "a"');
		expect(() => checkSnapshotName('web', 'a.b', isTaken)).toThrow('Invalid snapshot name');
		expect(() => checkSnapshotName('web', '', isTaken)).toThrow('it is empty');
		expect(() => checkSnapshotName('web', 'e', isTaken)).not.toThrow();
		const next = withSnapshot(branched, planned('snapshot6'));
		expect(defaultSnapshotName(next, hasName(next))).toBe('snapshot7');
		expect(() => findSnapshot(branched, 'web', 'e')).toThrow('instance "web" has no snapshot "e"');
	});

	test('a comment may have lines, and steers no terminal', () => {
		expect(checkedComment(' first\r\nsecond\u001B[2J\u202E ')).toBe('first\nsecond');
		expect(withComment(branched, 'b', 'x').snapshots[1]!.comment).toBe('x');
		expect(() => checkedComment('x'.repeat(5000))).toThrow('4096 are allowed');
	});

	type Step =
		| {readonly do: 'take'; readonly name: number}
		| {readonly do: 'delete' | 'restore' | 'comment'; readonly which: number}
		| {readonly do: 'rename'; readonly which: number; readonly name: number};
	const steps = fc.array(
		fc.oneof(
			fc.record({do: fc.constant('take' as const), name: fc.nat(12)}),
			fc.record({do: fc.constantFrom('delete' as const, 'restore' as const, 'comment' as const), which: fc.nat(20)}),
			fc.record({do: fc.constant('rename' as const), which: fc.nat(20), name: fc.nat(12)}),
		),
		{maxLength: 40},
	);

	test('whatever is done to it, it stays a tree: unique names, no ring, nobody lost, and it survives its file', () => {
		fc.assert(
			fc.property(steps, (all: readonly Step[]) => {
				let tree = emptyTree;
				let tags = 0;
				for (const step of all) {
					const before = tree;
					const one = 'which' in step ? before.snapshots[step.which % Math.max(1, before.snapshots.length)] : undefined;
					const free = (name: string) => !hasName(before)(name);
					switch (step.do) {
						case 'take': {
							const name = free(`n${step.name}`) ? `n${step.name}` : defaultSnapshotName(before, hasName(before));
							tree = withSnapshot(before, planned(name, `drover-${tags++}`));
							expect(tree.snapshots).toHaveLength(before.snapshots.length + 1);
							break;
						}
						case 'delete': {
							if (!one) break;
							tree = withoutSnapshot(before, one.tag);
							expect(tree.snapshots).toHaveLength(before.snapshots.length - 1);
							// Those below it are below what it was below.
							for (const child of childrenOf(before, one.name)) {
								expect(findSnapshot(tree, 'web', child).parent).toBe(one.parent);
							}
							break;
						}
						case 'restore':
							if (one) tree = atSnapshot(before, one.name);
							break;
						case 'comment':
							if (one) tree = withComment(before, one.name, 'said');
							break;
						case 'rename':
							if (one && free(`n${step.name}`)) tree = withName(before, one.name, `n${step.name}`);
					}
					expect(treeProblem(tree)).toBeUndefined();
					expect(tree.taken).toBeGreaterThanOrEqual(before.taken);
				}
				expect(parseTree(JSON.stringify(tree))).toEqual(tree);
			}),
			{numRuns: 300},
		);
	});
});

describe('a file that is no tree', () => {
	const text = (change: object) => JSON.stringify({...branched, ...change});
	const changed = (at: number, change: object) =>
		text({snapshots: branched.snapshots.map((each, index) => (index === at ? {...each, ...change} : each))});

	test.each([
		['', 'the file is empty'],
		['{', 'the file is not valid JSON'],
		['[]', /Invalid/],
		[text({schema: 2}), 'the file was written by a newer drover (form 2, this one knows 1)'],
		[text({head: 'nobody'}), 'the snapshot it is at, "nobody", is not there'],
		[text({taken: 3}), 'the number of snapshot "d" is out of order'],
		[changed(1, {name: 'a'}), 'two snapshots have the same name'],
		[changed(1, {tag: 'drover-a'}), 'two snapshots have the same tag'],
		[changed(1, {parent: 'nobody'}), 'the parent of snapshot "b" is not there'],
		[changed(0, {parent: 'd'}), 'snapshot "a" is older than its parent'],
		[changed(0, {name: '../x'}), 'snapshots.0.name: is not a name'],
		[changed(0, {tag: '-d'}), 'snapshots.0.tag: is not a tag'],
		[changed(0, {comment: '\u001B[2J'}), 'snapshots.0.comment: has control characters'],
	])('%s', (content, reason) => {
		expect(parseTree(content)).toEqual(typeof reason === 'string' ? reason : expect.stringMatching(reason));
	});
});
