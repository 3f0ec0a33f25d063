import type {Engine} from '../engine/engine.ts';
import {parseDriverName} from '../model/driver-name.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {parseInstanceKey, setInstance, settingError} from './instance-setting.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [argument, ...more] = args.positionals;
	if (argument === undefined || more.length > 0)
		throw usageError('Need exactly one key-value pair (in <key>=<value> form).');
	const [key = '', given, ...rest] = argument.split('=');
	if (rest.length > 0 || key === '') {
		throw usageError(`Bad key-value format ${JSON.stringify(argument.slice(0, 100))}.`, 'Write it as <key>=<value>.');
	}
	const value = given ?? (await ask(key, context));
	const instance = parseInstanceKey(key);
	if (instance !== undefined) {
		await setInstance(instance, value, context);
		return 0;
	}
	const engine = await context.engine();
	if (key === 'local.driver') return setDriver(value, engine, context);
	try {
		await engine.set({key, value, by: context.user});
	} catch (error) {
		throw settingError(key, error);
	}
	return 0;
}

/** A switch, with its progress. What is no driver at all, and what is current already, the engine answers. */
async function setDriver(value: string, engine: Engine, context: CommandContext): Promise<number> {
	const {switchAndTell} = await import('./switch.ts');
	const to = parseDriverName(value);
	const {value: current} = await engine.get({key: 'local.driver'});
	try {
		if (to === undefined || to === current) {
			await engine.set({key: 'local.driver', value, by: context.user});
			return 0;
		}
		return await switchAndTell(engine, {to, by: context.user}, context);
	} catch (error) {
		throw settingError('local.driver', error);
	}
}

async function ask(key: string, context: CommandContext): Promise<string> {
	if (!context.stdin.isTTY || !context.stdout.isTTY) {
		throw usageError(
			`No value is given for ${key}, and there is no terminal to ask on.`,
			`Use "drover set ${key}=<value>".`,
		);
	}
	context.stdout.write(`New value for ${key}: `);
	const line = await context.stdin.readLine();
	if (line === undefined) throw usageError(`No value was given for ${key}.`);
	return line;
}
