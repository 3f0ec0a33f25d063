import * as v from 'valibot';
import {plainLine} from '../model/text.ts';

/** The stages cloud-init goes through, in order. Source: cloud-init's documentation, "Boot stages". */
export const initStages = ['init-local', 'init', 'modules-config', 'modules-final'] as const;
export type InitStage = (typeof initStages)[number];

/** What a guest says of its initialization. All of it comes from the guest: made safe to show, and bounded. */
export type InitReport =
	/** The image has no cloud-init. */
	| {readonly kind: 'absent'}
	/** It has one that was told not to run. */
	| {readonly kind: 'disabled'}
	| {readonly kind: 'running'; readonly stage?: InitStage; readonly errors: readonly string[]}
	/** Errors mean that something asked for was not done, warnings that it was done in spite of something. */
	| {readonly kind: 'ended'; readonly errors: readonly string[]; readonly warnings: readonly string[]};

/** Bytes of a line that are looked at; cloud-init's own are far shorter. */
export const longestInitLine = 2 ** 16;

/**
 * Tells how far the initialization is, each time that changes, a line each; `$1` is how often it looks, a second apart.
 * Its files are read, since asking cloud-init itself takes a slow guest seconds each time; it is asked at the end, for the
 * verdict. A line of one point keeps the connection known to both ends: a guest must not look for ever for nobody.
 * Sources: cloud-init's documentation ("cloud-init status", "status.json" and "result.json" in /run/cloud-init).
 */
export const initScript = `
export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"
command -v cloud-init >/dev/null 2>&1 || { echo absent; exit 0; }
run=/run/cloud-init was= looks=0
while :; do
	if [ -e $run/result.json ] || [ -e /var/lib/cloud/instance/boot-finished ]; then
		now=$(cloud-init status --format json 2>/dev/null | head -c 60000)
		case $now in
			'{'*) ;;
			*) now=$(cloud-init status --long 2>/dev/null | head -c 60000) ;;
		esac
		now="verdict $(echo "$now" | tr '\\n' '\\t')"
	elif [ -e $run/disabled ] || [ -e /etc/cloud/cloud-init.disabled ]; then
		now=disabled
	else
		now="status $(head -c 60000 $run/status.json 2>/dev/null | tr '\\n' '\\t')"
	fi
	looks=$((looks + 1))
	if [ "$now" != "$was" ]; then echo "$now"; was=$now
	elif [ $((looks % 10)) = 0 ]; then echo .; fi
	[ "$looks" -lt "$1" ] || exit 0
	sleep 1
done
`;

const texts = v.fallback(
	v.pipe(
		v.array(v.unknown()),
		v.transform(list => list.filter(each => typeof each === 'string')),
	),
	[],
);
const stageDetail = v.object({
	errors: texts,
	start: v.fallback(v.nullish(v.number()), null),
	finished: v.fallback(v.nullish(v.number()), null),
});
const statusFile = v.object({
	v1: v.objectWithRest(
		{stage: v.fallback(v.nullish(v.string()), null)},
		v.fallback(v.nullish(v.union([stageDetail, v.string()])), null),
	),
});
const verdict = v.object({
	status: v.string(),
	extended_status: v.fallback(v.optional(v.string()), undefined),
	detail: v.fallback(v.optional(v.string()), undefined),
	stage: v.fallback(v.nullish(v.string()), null),
	errors: texts,
	recoverable_errors: v.fallback(v.record(v.string(), texts), {}),
});

/** What a line of {@link initScript} says; nothing when it is not understood. */
export function parseInitLine(line: string): InitReport | undefined {
	const text = line.slice(0, longestInitLine).trim();
	if (text === 'absent' || text === 'disabled') return {kind: text};
	const [, kind, rest = ''] = /^(status|verdict) ?(.*)$/s.exec(text) ?? [];
	if (kind === 'status') return parseStatusFile(rest);
	if (kind === 'verdict') return rest.startsWith('{') ? parseVerdict(rest) : parseLong(rest);
	return undefined;
}

/** Before cloud-init has begun there is no file: it is running all the same, since it is there and not disabled. */
function parseStatusFile(text: string): InitReport | undefined {
	if (text.trim() === '') return {kind: 'running', errors: []};
	const read = v.safeParse(statusFile, jsonOf(text));
	if (!read.success) return undefined;
	const {v1} = read.output;
	const details = initStages.flatMap(name => {
		const detail = (v1 as Record<string, unknown>)[name];
		return typeof detail === 'object' && detail !== null
			? [{name, ...(detail as v.InferOutput<typeof stageDetail>)}]
			: [];
	});
	// Between two stages none is named: what was begun last is where it is.
	const stage = stageOf(v1.stage) ?? details.findLast(({start}) => typeof start === 'number')?.name;
	return {
		kind: 'running',
		...(stage === undefined ? {} : {stage}),
		errors: plainTexts(details.flatMap(each => each.errors)),
	};
}

function parseVerdict(text: string): InitReport | undefined {
	const read = v.safeParse(verdict, jsonOf(text));
	if (!read.success) return undefined;
	const {status, extended_status: extended = status, detail = '', stage, errors, recoverable_errors} = read.output;
	if (/running|not run|not started/.test(extended) || /^(?:running|not)/.test(status)) {
		const known = stageOf(stage);
		return {kind: 'running', ...(known === undefined ? {} : {stage: known}), errors: plainTexts(errors)};
	}
	if (status === 'disabled') return {kind: 'disabled'};
	return ended(status, errors.length > 0 ? errors : [detail], Object.values(recoverable_errors).flat());
}

/** `status: done`, and in older versions with `--long` what is behind it, each on a line of its own. */
function parseLong(text: string): InitReport | undefined {
	const lines = text.split('\t').map(each => each.trim());
	const status = /^status: (.+)$/.exec(lines.find(each => each.startsWith('status:')) ?? '')?.[1];
	if (status === undefined) return undefined;
	if (/^(?:running|not)/.test(status)) return {kind: 'running', errors: []};
	if (status === 'disabled') return {kind: 'disabled'};
	const at = lines.findIndex(each => each.startsWith('detail:'));
	const detail = at === -1 ? [] : [lines[at]!.slice('detail:'.length), ...lines.slice(at + 1)];
	return ended(status, detail, []);
}

function ended(status: string, errors: readonly string[], warnings: readonly string[]): InitReport {
	if (status !== 'error') return {kind: 'ended', errors: [], warnings: plainTexts(warnings)};
	const found = plainTexts(errors);
	return {kind: 'ended', errors: found.length > 0 ? found : ['it does not say which'], warnings: plainTexts(warnings)};
}

const isStage = (text: string): text is InitStage => (initStages as readonly string[]).includes(text);
const stageOf = (text: string | null | undefined) => (text && isStage(text) ? text : undefined);

const [mostTexts, longestText] = [10, 300];

function plainTexts(list: readonly string[]): readonly string[] {
	const plain = list.map(each => plainLine(each.slice(0, 10 * longestText)).slice(0, longestText)).filter(Boolean);
	return [...new Set(plain)].slice(0, mostTexts);
}

function jsonOf(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
