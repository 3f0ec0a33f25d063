import type {Effect, Message, Model} from '../../source/components/store/model.ts';
import {initialModel, update} from '../../source/components/store/update.ts';
import type {Overview} from '../../source/engine/engine.ts';
import type {InstanceView} from '../../source/model/instance.ts';
import {FakeEngine} from '../support/fake-engine.ts';

/** The reducer with a clock: every key is a second after the one before, unless told otherwise. */
export class Driven {
	model: Model = initialModel({size: {columns: 80, rows: 24}, user: 'kim'});
	effects: Effect[] = [];
	at = 1_000_000;

	static async with(instances: readonly InstanceView[], more: Partial<Overview> = {}): Promise<Driven> {
		const driven = new Driven();
		const overview = await new FakeEngine({instances}).overview();
		driven.send({type: 'overview', overview: {...overview, ...more}, at: driven.at});
		return driven;
	}

	send(message: Message): this {
		const {model, effects} = update(this.model, message);
		this.model = model;
		this.effects.push(...effects);
		return this;
	}

	press(...names: readonly string[]): this {
		for (const name of names) this.pressAfter(1000, name);
		return this;
	}

	pressAfter(ms: number, name: string): this {
		this.at += ms;
		const text = name === 'space' ? ' ' : name.length === 1 ? name : '';
		return this.send({type: 'key', presses: [{name, text}], at: this.at});
	}

	events(part: Partial<Extract<Message, {type: 'events'}>>): this {
		return this.send({type: 'events', changed: [], removed: [], operations: [], at: this.at, ...part});
	}

	get requests() {
		return this.effects.flatMap(effect => (effect.type === 'act' ? [effect.request] : []));
	}

	/** The effects of a type, oldest first. */
	of<Type extends Effect['type']>(type: Type): Array<Extract<Effect, {type: Type}>> {
		return this.effects.filter(effect => effect.type === type) as Array<Extract<Effect, {type: Type}>>;
	}

	get top() {
		return this.model.layers.at(-1);
	}

	get cursorName() {
		return this.model.roster.byId.get(this.model.table.cursor ?? '')?.name;
	}
}
