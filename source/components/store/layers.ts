import type {Effect, Layer, Model, Step, Toast} from './model.ts';

export const step = (model: Model, ...effects: Effect[]): Step => ({model, effects});

export function push(model: Model, layer: Layer): Model {
	return {...model, layers: [...model.layers, layer]};
}

export function pop(model: Model): Model {
	return model.layers.length === 0 ? model : {...model, layers: model.layers.slice(0, -1)};
}

/** Changes the last layer of a kind; nothing when there is none. */
export function change<Kind extends Layer['kind']>(
	model: Model,
	kind: Kind,
	alter: (layer: Extract<Layer, {kind: Kind}>) => Layer,
): Model {
	const index = model.layers.findLastIndex(layer => layer.kind === kind);
	if (index < 0) return model;
	const before = model.layers[index] as Extract<Layer, {kind: Kind}>;
	const after = alter(before);
	return after === before ? model : {...model, layers: model.layers.with(index, after)};
}

/** One line on the reserved status line; it goes at the next key press or after a while. */
export function tell(model: Model, text: string, level: Toast['level'] = 'info'): Step {
	const number = (model.toast?.number ?? 0) + 1;
	return step({...model, toast: {text, level, number}}, {type: 'toast-timer', number});
}

/** Effects of several steps put together. */
export function also(first: Step, next: (model: Model) => Step): Step {
	const second = next(first.model);
	return {model: second.model, effects: [...first.effects, ...second.effects]};
}
