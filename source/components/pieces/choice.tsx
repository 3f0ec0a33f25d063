import {Text} from 'ink';
import SelectInput from 'ink-select-input';
import type {Line} from './line.ts';
import {paint, type Theme} from './theme.ts';

type Props = {
	readonly items: ReadonlyArray<{readonly value: string; readonly content: Line}>;
	readonly initialIndex: number;
	/** How many lines there are for it; the others come when the cursor goes there. All unless told. */
	readonly limit?: number;
	readonly isFocused: boolean;
	readonly width: number;
	readonly theme: Theme;
	readonly onHighlight?: (index: number) => void;
	readonly onSelect: (index: number) => void;
};

/** A fixed list to choose from, drawn with drover's own cursor. */
export function Choice({items, initialIndex, limit, isFocused, width, theme, onHighlight, onSelect}: Props) {
	const indexOf = (value: string) => items.findIndex(item => item.value === value);
	return (
		<SelectInput
			items={items.map(({value, content}) => ({key: value, value, label: paint(content, width - 4, theme)}))}
			initialIndex={Math.max(0, initialIndex)}
			{...(limit === undefined ? {} : {limit})}
			isFocused={isFocused}
			indicatorComponent={({isSelected}) => (
				<Text>{isSelected ? paint([{text: ' > ', style: 'bold'}], 3, theme) : '   '}</Text>
			)}
			itemComponent={({label}) => <Text wrap="truncate">{label}</Text>}
			onHighlight={item => {
				onHighlight?.(indexOf(item.value));
			}}
			onSelect={item => {
				onSelect(indexOf(item.value));
			}}
		/>
	);
}
