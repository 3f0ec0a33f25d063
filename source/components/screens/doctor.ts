import {capabilityNames, capabilityTitles} from '../../drivers/capabilities.ts';
import type {DoctorCheck, DriverInfo} from '../../engine/engine.ts';
import {driverTitles} from '../../model/driver-name.ts';
import {plainLine, plainText} from '../../model/text.ts';
import {fill, fitText, type Line, line, type StyleName, span, wrap} from '../pieces/line.ts';
import type {Layer, Model} from '../store/model.ts';
import type {TerminalTraits} from '../terminal/environment.ts';

/** What a driver's health comes to, in one word. */
export function verdictOf(driver: DriverInfo): {readonly word: string; readonly style?: StyleName} {
	if (!driver.supported) return {word: 'NO', style: 'dim'};
	if (driver.health.usable) return {word: 'READY', style: 'good'};
	return driver.health.installed ? {word: 'FIXABLE', style: 'busy'} : {word: 'MISSING', style: 'busy'};
}

export function whyOf(driver: DriverInfo): string {
	return plainLine(driver.supported ? driver.health.summary : (driver.unsupportedReason ?? 'not on this platform'));
}

/** What this machine can do: a verdict for each driver, who can do what, the checks, and how to mend what can be mended. */
export function doctorLines(
	model: Model,
	layer: Extract<Layer, {kind: 'doctor'}>,
	traits: TerminalTraits,
	width: number,
	height: number,
): readonly Line[] {
	const {report, error} = layer;
	if (!report) {
		const content = error
			? wrap(`The doctor could not look: ${plainLine(error.message)}`, width - 4).map(part =>
					line(`  ${part}`, 'problem'),
				)
			: [line('  Looking at this machine ...')];
		return fill([[], ...content, [], line('  ctrl-r  looks again   esc  back')], height);
	}
	const isFirstRun = model.roster.byId.size === 0;
	const seconds = (report.tookMs / 1000).toFixed(1);
	// What keeps the first instance from being launched stands where it is seen without scrolling.
	const isUrgent = (driver: DriverInfo) => driver.current && !driver.health.usable;
	const urgent = remedyLines(report.drivers.filter(isUrgent), width);
	const all: Line[] = [
		line(
			` ${isFirstRun ? 'Welcome to drover. ' : ''}Nothing was installed or changed. Checked in ${seconds} s.`,
			'bold',
		),
		[],
		line(`   ${fitText('DRIVER', 12)}${fitText('VERDICT', 9)}WHY`, 'title'),
		...report.drivers.flatMap(driver => driverLines(driver, width)),
		...urgent,
		[],
		...capabilityLines(
			report.drivers.filter(driver => driver.supported),
			width,
		),
		[],
		...report.checks.flatMap(check => checkLines(check, width)),
		terminalLine(model, traits),
		...remedyLines(
			report.drivers.filter(driver => !isUrgent(driver)),
			width,
		),
	];
	const top = Math.max(0, Math.min(layer.top, all.length - height));
	const below = all.length - top - height;
	const shown = all.slice(top, top + height);
	return below > 0 ? [...shown.slice(0, -1), line(`   ${below + 1} more lines below (j)`, 'dim')] : fill(shown, height);
}

function driverLines(driver: DriverInfo, width: number): readonly Line[] {
	const {word, style} = verdictOf(driver);
	const why = wrap(`${whyOf(driver)}${driver.current ? ' (current)' : ''}`, width - 26);
	return why
		.slice(0, 2)
		.map((part, index) =>
			index === 0
				? [span(`   ${fitText(driverTitles[driver.name], 12)}`), span(fitText(word, 9), style), span(part)]
				: [span(' '.repeat(24)), span(part)],
		);
}

/** Who can do what; a dash is a no, and the drivers screen gives its reason. */
export function capabilityLines(drivers: readonly DriverInfo[], width: number): readonly Line[] {
	const cell = Math.min(16, Math.floor((width - 16) / capabilityNames.length));
	return [
		line(
			`   ${fitText('CAN DO', 12)}${capabilityNames.map(name => fitText(capabilityTitles[name], cell)).join('')}`,
			'title',
		),
		...drivers.map(driver =>
			line(
				`   ${fitText(driverTitles[driver.name], 12)}${capabilityNames
					.map(name => fitText(({yes: 'yes', no: '-', unknown: '?'} as const)[driver.capabilities[name].can], cell))
					.join('')}`,
			),
		),
	];
}

function checkLines(check: DoctorCheck, width: number): readonly Line[] {
	const style: StyleName | undefined =
		check.verdict === 'ok' ? 'good' : check.verdict === 'warning' ? 'busy' : 'problem';
	const text = `${plainLine(check.title)}: ${plainLine(check.text)}${check.remedy ? ` ${plainLine(check.remedy)}` : ''}`;
	return wrap(text, width - 13).map((part, index) =>
		index === 0
			? [span('   '), span(fitText(check.verdict, 9), style), span(part)]
			: [span(' '.repeat(12)), span(part)],
	);
}

function terminalLine({size}: Model, traits: TerminalTraits): Line {
	const facts = [
		plainLine(traits.term),
		traits.color ? '16 colours' : 'no colours',
		traits.ascii ? 'ASCII' : 'UTF-8',
		`${size.columns}x${size.rows}`,
		...(traits.isSsh ? ['over SSH'] : []),
		`sync output ${traits.sync ? 'on' : 'off'}`,
	];
	return [span('   '), span(fitText('terminal', 9)), span(facts.join(', '))];
}

function remedyLines(drivers: readonly DriverInfo[], width: number): readonly Line[] {
	const ill = drivers.filter(driver => driver.supported && driver.health.remedy);
	if (ill.length === 0) return [];
	return [
		[],
		...ill.flatMap(driver => [
			line(
				` ${driver.health.usable ? 'BETTER' : 'FIX'} ${driverTitles[driver.name]} (run it yourself, then ctrl-r):`,
				'title',
			),
			...plainText(driver.health.remedy ?? '')
				.split('\n')
				.flatMap(text => wrap(plainLine(text), width - 5))
				.map(part => line(`    ${part}`)),
		]),
	];
}
