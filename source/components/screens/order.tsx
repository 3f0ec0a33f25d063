import {Choice} from '../pieces/choice.tsx';
import {span} from '../pieces/line.ts';
import type {Theme} from '../pieces/theme.ts';
import {type Order, orders} from '../store/roster.ts';

const titles: Readonly<Record<Order, string>> = {
	name: 'name',
	state: 'state: running first, what has trouble last',
	image: 'image',
	memory: 'memory: largest first',
	newest: 'age: newest first',
};

type Props = {
	readonly order: Order;
	/** How many lines there are for it. */
	readonly limit: number;
	readonly isOnTop: boolean;
	readonly width: number;
	readonly theme: Theme;
	readonly onSelect: (order: Order) => void;
};

/** The lines the picker takes. */
export const orderHeight = orders.length;

/** What the rows are ordered by. */
export function OrderPicker({order, limit, isOnTop, width, theme, onSelect}: Props) {
	return (
		<Choice
			items={orders.map(name => ({value: name, content: [span(`order by ${titles[name]}`)]}))}
			initialIndex={orders.indexOf(order)}
			limit={limit}
			isFocused={isOnTop}
			width={width}
			theme={theme}
			onSelect={index => {
				onSelect(orders[index] ?? 'name');
			}}
		/>
	);
}
