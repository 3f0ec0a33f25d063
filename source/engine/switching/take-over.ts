import type {Adoptable} from '../../drivers/driver.ts';
import {DroverError} from '../../model/errors.ts';
import type {InstanceView} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import type {Scene} from '../scene.ts';

/** What could be taken over: not what has been, and has a record. */
export async function othersInstances({driver, instances}: Pick<Scene, 'driver' | 'instances'>): Promise<Adoptable[]> {
	const ids = new Set(
		instances.all().flatMap(entry => (entry.stored.kind === 'record' ? [entry.stored.record.id] : [])),
	);
	return ((await driver.adoptables?.()) ?? []).filter(each => each.id === undefined || !ids.has(each.id));
}

/**
 * Takes over an instance that other software made: it gets a record, and is drover's from then on.
 * @throws DroverError `driver.incapable`, `instance.missing`, `instance.exists`
 */
export async function takeOver(scene: Scene, name: string, from: string, by: string): Promise<InstanceView> {
	const {driver, instances, shop} = scene;
	const all = await othersInstances(scene);
	const found = all.find(each => each.name === name && each.from === from);
	if (found === undefined || driver.adopt === undefined) {
		throw new DroverError(
			'instance.missing',
			`there is no instance ${JSON.stringify(plainLine(name).slice(0, 80))} of ${plainLine(from).slice(0, 40)} that the ${driver.name} driver can see`,
			{next: `drover adopt --from ${plainLine(from).slice(0, 40)} lists those there are.`},
		);
	}
	if (found.problem !== undefined) {
		throw new DroverError('instance.invalid', `"${found.name}" cannot be taken over: ${found.problem}.`);
	}
	if (instances.has(name)) {
		throw new DroverError('instance.exists', `instance "${name}" already exists`, {
			next: 'Rename it where it is, or delete and purge the one of that name here.',
		});
	}
	const {public: clientKey} = await shop.clientKey();
	const record = await driver.adopt(name, {id: shop.uuid(), by, now: shop.now().toISOString(), clientKey});
	const entry = await instances.create(record);
	await instances.tell(entry, `taken over from ${from}`, by);
	await instances.observe(entry);
	return entry.view;
}
