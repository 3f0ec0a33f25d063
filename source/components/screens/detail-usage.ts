import type {InstanceView} from '../../model/instance.ts';
import {formatSize} from '../../model/sizes.ts';
import {isUp} from '../../model/state.ts';
import {fitText, type Line, span} from '../pieces/line.ts';
import {percentLevel, rateLevel, sparkline} from '../pieces/sparkline.ts';
import type {Model} from '../store/model.ts';
import {memoryPercent, mostPoints, type Usage} from '../store/usage.ts';

const labelWidth = 12;
const textWidth = 30;
/** A graph narrower than this says nothing. */
const narrowestGraph = 8;

/** Whether the page of an instance tells what it uses now. */
export function hasUsage({facts}: Model, instance: InstanceView): boolean {
	return isUp(instance.state) && (facts?.driver.features.includes('metrics') ?? false);
}

/**
 * What an instance uses now, four lines as long as it is up: what is not known yet has its place already, and every
 * number has a fixed one, so that a sample changes digits and bars and moves nothing.
 */
export function usageLines(model: Model, instance: InstanceView, width: number): readonly Line[] {
	if (!hasUsage(model, instance)) return [];
	const gauge = model.metrics.gauges.get(instance.name);
	const usage = gauge?.shown ?? {};
	const {memory, memoryTotal} = usage;
	const size =
		memory === undefined ? '' : `${formatSize(memory)}${memoryTotal ? ` of ${formatSize(memoryTotal)}` : ''}`;
	const graphWidth = Math.min(mostPoints, width - labelWidth - textWidth - 2);
	const row = (name: string, text: string, level: (point: Usage) => number | undefined): Line => [
		span(name.padEnd(labelWidth), 'dim'),
		span(fitText(text, Math.min(textWidth, Math.max(1, width - labelWidth)))),
		...(graphWidth < narrowestGraph
			? []
			: [span('│', 'dim'), span(sparkline((gauge?.points ?? []).map(level), graphWidth), 'link'), span('│', 'dim')]),
	];
	return [
		row(
			'CPU',
			`${percent(usage.cpu)}  of ${instance.cpus} ${instance.cpus === 1 ? 'processor' : 'processors'}`,
			point => levelOf(percentLevel, point.cpu),
		),
		row('Memory', `${percent(memoryPercent(usage))}  ${size}`, point => levelOf(percentLevel, memoryPercent(point))),
		row('Network', `in   ${rate(usage.received)}  out   ${rate(usage.sent)}`, point =>
			levelOf(rateLevel, sum(point.received, point.sent)),
		),
		row('Disk', `read ${rate(usage.read)}  write ${rate(usage.written)}`, point =>
			levelOf(rateLevel, sum(point.read, point.written)),
		),
		[],
	];
}

const levelOf = (level: (value: number) => number, value: number | undefined) =>
	value === undefined ? undefined : level(value);

const sum = (one: number | undefined, other: number | undefined) =>
	one === undefined && other === undefined ? undefined : (one ?? 0) + (other ?? 0);

const percent = (value: number | undefined) => (value === undefined ? '-' : `${value}%`).padStart(4);
const rate = (value: number | undefined) => formatRate(value).padStart(6);

/** `340K/s`: two digits that count, at most six columns. Less than 100 bytes a second is the noise of a network. */
export function formatRate(bytes: number | undefined): string {
	if (bytes === undefined) return '-';
	if (bytes < 100) return '0B/s';
	if (bytes < 1024) return '<1K/s';
	let value = bytes / 1024;
	for (const unit of ['K', 'M', 'G']) {
		const rounded = Number(value.toPrecision(2));
		if (rounded < 1000 || unit === 'G') return `${rounded < 10 ? rounded.toFixed(1) : rounded}${unit}/s`;
		value /= 1024;
	}
	return '-';
}
