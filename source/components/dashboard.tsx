import {Box, useApp, useInput, usePaste} from 'ink';
import {useEffect, useSyncExternalStore} from 'react';
import {keyPresses} from './keys/key-name.ts';
import {headerLines, hintLine, statusLine} from './pieces/chrome.ts';
import {isTiny, layoutOf} from './pieces/layout.ts';
import {fill, type Line, line, lineWidth, overlay, wrap} from './pieces/line.ts';
import {Lines} from './pieces/lines.tsx';
import {alertsLines} from './screens/alerts.ts';
import {confirmLines} from './screens/confirm.ts';
import {copyLines} from './screens/copy.ts';
import {detailLines} from './screens/detail.ts';
import {doctorLines} from './screens/doctor.ts';
import {DriversScreen} from './screens/drivers.tsx';
import {finderLines} from './screens/finder.ts';
import {formLines} from './screens/form.ts';
import {importLines} from './screens/import.ts';
import {menuLines} from './screens/menu.ts';
import {mountsLines} from './screens/mounts.ts';
import {networksLines} from './screens/networks.ts';
import {operationsLines} from './screens/operations.ts';
import {OrderPicker, orderHeight} from './screens/order.tsx';
import {snapshotsLines} from './screens/snapshots.ts';
import {switchPlanLines} from './screens/switch-plan.ts';
import {switchRunLines} from './screens/switch-run.ts';
import {tableLines} from './screens/table.ts';
import type {Layer, Message, Model} from './store/model.ts';
import {screenLayer, topLayer} from './store/selectors.ts';
import type {TerminalTraits} from './terminal/environment.ts';

type Props = {
	readonly store: {
		readonly get: () => Model;
		readonly subscribe: (listener: () => void) => () => void;
		readonly dispatch: (message: Message) => void;
	};
	readonly traits: TerminalTraits;
	readonly now: () => number;
	/** Told once how to lend the terminal to somebody else. */
	readonly onReady: (suspend: (callback: () => Promise<void> | void) => Promise<unknown>) => void;
};

/** The whole screen: a pure drawing of the model, and the one place where keys come in. */
export function Dashboard({store, traits, now, onReady}: Props) {
	const model = useSyncExternalStore(store.subscribe, store.get);
	const {suspendTerminal} = useApp();
	useEffect(() => {
		onReady(suspendTerminal);
	}, [onReady, suspendTerminal]);
	useInput((input, key) => {
		store.dispatch({type: 'key', presses: keyPresses(input, key), at: now()});
	});
	usePaste(text => {
		store.dispatch({type: 'paste', text, at: now()});
	});
	const {columns, rows} = model.size;
	if (isTiny(model.size)) return <Lines lines={tinyLines(model)} width={columns} theme={traits} />;
	const {width, bodyHeight, hasRule} = layoutOf(model.size);
	const foot: Line[] = [statusLine(model), hintLine(model, width)];
	if (hasRule) foot.unshift(line('─'.repeat(width), 'dim'));
	return (
		<Box flexDirection="column" width={columns} height={rows} overflow="hidden">
			<Lines lines={headerLines(model, width)} width={width} theme={traits} />
			<Body model={model} width={width} height={bodyHeight} traits={traits} dispatch={store.dispatch} />
			<Lines lines={foot} width={width} theme={traits} />
		</Box>
	);
}

type BodyProps = {
	readonly model: Model;
	readonly width: number;
	readonly height: number;
	readonly traits: TerminalTraits;
	readonly dispatch: (message: Message) => void;
};

/** The screen that is open, with the dialogs over it. */
function Body({model, width, height, traits, dispatch}: BodyProps) {
	const layer = topLayer(model);
	const screen = screenLayer(model);
	if (screen?.kind === 'drivers') {
		return (
			<DriversScreen
				layer={screen}
				isOnTop={layer === screen}
				width={width}
				height={height}
				theme={traits}
				onHighlight={index => {
					dispatch({type: 'driver-shown', index});
				}}
				onSelect={index => {
					dispatch({type: 'driver-chosen', index});
				}}
			/>
		);
	}
	if (layer?.kind === 'order') {
		const shown = Math.min(orderHeight, height - 1);
		const above = height - shown - 1;
		return (
			<Box flexDirection="column" width={width} height={height} overflow="hidden">
				<Lines
					lines={[...(above > 0 ? tableLines(model, width, above) : []), line('─'.repeat(width), 'dim')]}
					width={width}
					theme={traits}
				/>
				<OrderPicker
					order={model.roster.order}
					limit={shown}
					isOnTop
					width={width}
					theme={traits}
					onSelect={order => {
						dispatch({type: 'order-chosen', order});
					}}
				/>
			</Box>
		);
	}
	return <Lines lines={bodyLines(model, traits, width, height)} width={width} theme={traits} />;
}

/** The body as lines, dialogs laid over it. */
export function bodyLines(model: Model, traits: TerminalTraits, width: number, height: number): readonly Line[] {
	let lines = fill(screenLines(model, screenLayer(model), traits, width, height), height);
	for (const layer of model.layers) {
		const box = dialogLines(model, layer, width, height);
		if (!box) continue;
		const boxWidth = lineWidth(box[0] ?? []);
		const row = Math.max(0, Math.floor((height - box.length) / 2));
		lines = overlay(lines, box.slice(0, height), row, Math.max(0, Math.floor((width - boxWidth) / 2)));
	}
	return lines;
}

function screenLines(
	model: Model,
	layer: Layer | undefined,
	traits: TerminalTraits,
	width: number,
	height: number,
): readonly Line[] {
	switch (layer?.kind) {
		case 'detail':
			return detailLines(model, layer, width, height);
		case 'form':
			return formLines(model, layer, width, height);
		case 'mounts':
			return mountsLines(model, layer, width, height);
		case 'networks':
			return networksLines(model, layer, width, height);
		case 'snapshots':
			return snapshotsLines(model, layer, width, height);
		case 'operations':
			return operationsLines(model, layer, width, height);
		case 'alerts':
			return alertsLines(model, layer, width, height);
		case 'finder':
			return finderLines(model, layer, width, height);
		case 'import':
			return importLines(layer, width, height);
		case 'switch-plan':
			return switchPlanLines(layer, width, height);
		case 'switch-run':
			return switchRunLines(model, layer, width, height);
		case 'doctor':
			return doctorLines(model, layer, traits, width, height);
		default:
			return tableLines(model, width, height);
	}
}

function dialogLines(model: Model, layer: Layer, width: number, height: number): readonly Line[] | undefined {
	const boxWidth = Math.min(width, 100);
	switch (layer.kind) {
		case 'menu':
			return menuLines(model, layer, boxWidth, height);
		case 'confirm':
			return confirmLines(layer, Math.min(width, 80));
		case 'copy':
			return copyLines(layer, Math.min(width, 80), height);
		default:
			return undefined;
	}
}

/** A terminal too small for any screen: say so, keep everything, come back when it grows. */
function tinyLines({size: {columns, rows}}: Model): readonly Line[] {
	const text = `drover: this terminal is ${columns}x${rows}; the screen needs 40x10. Enlarge it, or use drover list. q quits.`;
	return fill(
		wrap(text, columns).map(part => line(part)),
		rows,
	);
}
