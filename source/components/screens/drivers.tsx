import {Box} from 'ink';
import {capabilityNames, capabilityTitles} from '../../drivers/capabilities.ts';
import {verificationSentence} from '../../drivers/verification.ts';
import type {DriverInfo} from '../../engine/engine.ts';
import {driverTitles} from '../../model/driver-name.ts';
import {plainLine, plainText} from '../../model/text.ts';
import {Choice} from '../pieces/choice.tsx';
import {fill, fitText, type Line, line, span, wrap} from '../pieces/line.ts';
import {Lines} from '../pieces/lines.tsx';
import type {Theme} from '../pieces/theme.ts';
import type {Layer} from '../store/model.ts';
import {verdictOf, whyOf} from './doctor.ts';

type Props = {
	readonly layer: Extract<Layer, {kind: 'drivers'}>;
	readonly isOnTop: boolean;
	readonly width: number;
	readonly height: number;
	readonly theme: Theme;
	readonly onHighlight: (index: number) => void;
	readonly onSelect: (index: number) => void;
};

/** All drivers with verdict and reason; below, everything about the one under the cursor. */
export function DriversScreen({layer, isOnTop, width, height, theme, onHighlight, onSelect}: Props) {
	const {list, error} = layer;
	if (!list) {
		const content = error
			? wrap(`The drivers could not be read: ${plainLine(error.message)}`, width - 4).map(part =>
					line(`  ${part}`, 'problem'),
				)
			: [line('  Asking the drivers ...')];
		return <Lines lines={fill([[], ...content], height)} width={width} theme={theme} />;
	}
	const titles = line(`   ${fitText('DRIVER', 12)}${fitText('STATUS', 10)}${fitText('SCOPE', 16)}WHY`, 'title');
	const chosen = list[layer.index] ?? list[0];
	const about = chosen ? aboutLines(chosen, width) : [];
	// More lines than there is room for would be drawn over each other.
	const shown = Math.max(1, Math.min(list.length, height - 2));
	const left = height - 2 - shown;
	return (
		<Box flexDirection="column" width={width} height={height} overflow="hidden">
			<Lines lines={[[], titles]} width={width} theme={theme} />
			<Choice
				// Another number of lines is another list: the cursor would be left outside of it.
				key={shown}
				items={list.map(driver => ({value: driver.name, content: driverLine(driver)}))}
				initialIndex={layer.index}
				limit={shown}
				isFocused={isOnTop}
				width={width}
				theme={theme}
				onHighlight={onHighlight}
				onSelect={onSelect}
			/>
			{left > 0 ? <Lines lines={fill(about, left)} width={width} theme={theme} /> : null}
		</Box>
	);
}

function driverLine(driver: DriverInfo): Line {
	const {word, style} = verdictOf(driver);
	const scope = `${driver.instances} ${driver.instances === 1 ? 'instance' : 'instances'}`;
	return [
		span(fitText(driverTitles[driver.name], 12)),
		span(fitText(driver.current ? 'current' : word.toLowerCase(), 10), driver.current ? 'bold' : style),
		span(fitText(scope, 16)),
		span(whyOf(driver)),
	];
}

/** How far the project vouches for it here. */
function vouchLines({verification}: DriverInfo, width: number): readonly Line[] {
	if (verification === undefined) return [];
	const style = verification.level === 'real' ? undefined : 'busy';
	return wrap(plainLine(verificationSentence(verification)), width - 4).map(part => line(`   ${part}`, style));
}

/** The driver under the cursor: reason, remedy, and each capability with who else has it. */
export function aboutLines(driver: DriverInfo, width: number): readonly Line[] {
	const title = ` ${driverTitles[driver.name]} `;
	const remedy = driver.supported ? driver.health.remedy : undefined;
	return [
		line(`──${title}${'─'.repeat(Math.max(0, width - 2 - title.length))}`, 'dim'),
		...wrap(whyOf(driver), width - 4).map(part => line(`   ${part}`)),
		...(remedy
			? [
					[],
					line(driver.health.usable ? '   To make it better:' : '   To fix it, run yourself, then ctrl-r:', 'title'),
					...plainText(remedy)
						.split('\n')
						.flatMap(text => wrap(plainLine(text), width - 7))
						.map(part => line(`     ${part}`)),
				]
			: []),
		...vouchLines(driver, width),
		[],
		...capabilityNames.flatMap(name => {
			const answer = driver.capabilities[name];
			const text = answer.can === 'yes' ? 'yes' : answer.can === 'no' ? plainLine(answer.reason) : 'not known';
			return wrap(text, width - 21).map(
				(part, index): Line => [
					span(`   ${fitText(index === 0 ? capabilityTitles[name] : '', 17)}`, 'dim'),
					span(part, answer.can === 'yes' ? 'good' : undefined),
				],
			);
		}),
	];
}
