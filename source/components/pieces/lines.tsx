import {Box, Text} from 'ink';
import {memo} from 'react';
import type {Line} from './line.ts';
import {paint, type Theme} from './theme.ts';

type Props = {
	readonly lines: readonly Line[];
	readonly width: number;
	readonly theme: Theme;
};

/** One line of the screen; unchanged text is not laid out again. */
const Row = memo(function Row({text}: {readonly text: string}) {
	return <Text wrap="truncate">{text === '' ? ' ' : text}</Text>;
});

/** Lines under each other, each exactly one row of the terminal. */
export function Lines({lines, width, theme}: Props) {
	return (
		<Box flexDirection="column" width={width} height={lines.length} flexShrink={0}>
			{lines.map((content, index) => (
				// biome-ignore lint/suspicious/noArrayIndexKey: a row of the screen is its number
				<Row key={index} text={paint(content, width, theme)} />
			))}
		</Box>
	);
}
