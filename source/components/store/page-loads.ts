import {launchLoads} from './launch-form.ts';
import type {Effect, Model} from './model.ts';
import {screenInstance, topLayer} from './selectors.ts';

/** What the screen on top has asked for itself, to be asked for again. */
export function pageLoads(model: Model): readonly Effect[] {
	const layer = topLayer(model);
	const name = screenInstance(model)?.name;
	switch (layer?.kind) {
		case 'drivers':
			return [{type: 'load-drivers'}];
		case 'doctor':
			return [{type: 'load-doctor', again: false}];
		case 'switch-plan':
			return [{type: 'load-plan', to: layer.to}];
		case 'import':
			return [{type: 'load-import'}];
		case 'form':
			return layer.purpose === 'launch' ? launchLoads(model) : [];
		case 'detail':
			return name === undefined ? [] : [{type: 'load-detail', id: layer.id, name, tab: layer.tab}];
		case 'networks':
			return name === undefined ? [] : [{type: 'load-networks', id: layer.id, name}];
		case 'snapshots':
			return name === undefined ? [] : [{type: 'load-snapshots', id: layer.id, name}];
		default:
			return [];
	}
}
