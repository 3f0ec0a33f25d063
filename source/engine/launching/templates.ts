import {readdir, readFile, stat} from 'node:fs/promises';
import path from 'node:path';
import {checkCloudConfig} from '../../guest/seed.ts';
import {shippedTemplates} from '../../guest/templates.ts';
import {causeWords} from '../../model/cause-words.ts';
import {DroverError, errorData} from '../../model/errors.ts';
import type {CloudTemplate} from '../../model/profile.ts';
import {listOf, plainLine} from '../../model/text.ts';
import type {Paths} from '../../state/paths.ts';

/** The user's own are in this directory beside the settings. */
const directoryName = 'cloud-init';
const fileName = /^([A-Za-z\d][\w.-]{0,62})\.ya?ml$/;
/** Bytes of one file, and files that are looked at: it all crosses the socket. */
const [longest, mostFiles] = [2 ** 16, 50];

/** All templates by name: the user's own, and those of drover's that none of them replaces. */
export async function cloudTemplates(paths: Pick<Paths, 'config'>, user?: string): Promise<readonly CloudTemplate[]> {
	const own = await ownTemplates(path.join(paths.config, directoryName));
	const taken = new Set(own.map(({name}) => name));
	return [...own, ...shippedTemplates(user).filter(({name}) => !taken.has(name))];
}

/** @throws DroverError `usage.invalid` when there is none of that name, or it cannot be used */
export async function cloudTemplate(paths: Pick<Paths, 'config'>, name: string, user: string): Promise<string> {
	const templates = await cloudTemplates(paths, user);
	const found = templates.find(template => template.name === name);
	if (found === undefined) {
		throw new DroverError(
			'usage.invalid',
			`There is no cloud-init template ${JSON.stringify(plainLine(name).slice(0, 80))}; there are ${listOf(templates.map(each => each.name))}.`,
			{next: `Files in ${path.join(paths.config, directoryName)} are templates of your own.`},
		);
	}
	if (found.problem !== undefined) {
		throw new DroverError('usage.invalid', `The cloud-init template ${found.name} cannot be used: ${found.problem}`, {
			next: `It is in ${found.file ?? 'drover itself'}.`,
		});
	}
	return found.text;
}

async function ownTemplates(directory: string): Promise<readonly CloudTemplate[]> {
	const names = (await readdir(directory).catch(() => [])).filter(name => fileName.test(name)).sort();
	const found = await Promise.all(names.slice(0, mostFiles).map(name => readTemplate(path.join(directory, name))));
	// `a.yaml` and `a.yml`: the first is meant.
	return found.filter((template, at) => found.findIndex(other => other.name === template.name) === at);
}

async function readTemplate(file: string): Promise<CloudTemplate> {
	const [, name = ''] = fileName.exec(path.basename(file)) ?? [];
	const about = {name, title: name, about: '', file, text: ''};
	try {
		const {size} = await stat(file);
		if (size > longest) return {...about, problem: `it is longer than ${longest / 1024} KiB.`};
		const text = await readFile(file, 'utf8');
		const title = titleIn(text) || name;
		const problem = await checkCloudConfig(text).then(
			() => undefined,
			error => plainLine(errorData(error).message).replace(/^The cloud-init file cannot be used: /, ''),
		);
		return {...about, title, text, ...(problem === undefined ? {} : {problem})};
	} catch (error) {
		return {...about, problem: `it cannot be read: ${causeWords(error)}.`};
	}
}

/** What its first comment says. */
function titleIn(text: string): string {
	const comment = text
		.split('\n')
		.slice(0, 5)
		.find(line => /^# *[^\s#]/.test(line) && !line.startsWith('#cloud-config'));
	return plainLine(comment?.replace(/^#+/, '') ?? '').slice(0, 60);
}
