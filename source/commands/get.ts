import type {Engine} from '../engine/engine.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {instanceProperties, instanceSetting, parseInstanceKey, settingError} from './instance-setting.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [key, ...more] = args.positionals;
	if (more.length > 0 || (key === undefined && !args.has('keys'))) throw usageError('Need exactly one setting key.');
	const engine = await context.engine();
	if (key === undefined) {
		context.stdout.write((await keys(engine)).map(name => `${name}\n`).join(''));
		return 0;
	}
	const value = await settingValue(key, engine);
	const shown = plainLine(value) === '' && !args.has('raw') ? '<empty>' : plainLine(value);
	context.stdout.write(`${args.has('keys') ? key : shown}\n`);
	return 0;
}

async function settingValue(key: string, engine: Engine): Promise<string> {
	const instance = parseInstanceKey(key);
	if (instance !== undefined) return instanceSetting(instance, engine);
	try {
		return (await engine.get({key})).value;
	} catch (error) {
		throw settingError(key, error);
	}
}

async function keys(engine: Engine): Promise<readonly string[]> {
	const [settings, instances, snapshots] = await Promise.all([
		engine.settings(),
		engine.list(),
		// A driver that has none refuses.
		engine.snapshots({names: []}).catch(() => []),
	]);
	return [
		...settings.map(setting => setting.key),
		...instances.flatMap(({name}) => [...instanceProperties, 'restore'].map(property => `local.${name}.${property}`)),
		...snapshots.flatMap(({name, snapshots: all}) =>
			all.flatMap(snapshot => ['name', 'comment'].map(property => `local.${name}.${snapshot.name}.${property}`)),
		),
	].sort();
}
