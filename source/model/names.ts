import {DroverError} from './errors.ts';

const namePattern = /^[A-Za-z](?:[A-Za-z\d-]*[A-Za-z\d])?$/;

/** A name is used as a host name, so it has a host name's length. */
export const maximumNameLength = 63;

/** Why a text cannot be an instance name, in words, or `undefined` when it can. Rule: Multipass, plus the length. */
export function nameProblem(name: string): string | undefined {
	if (name === '') return 'it is empty';
	if (name.length > maximumNameLength) return `it has ${name.length} characters, ${maximumNameLength} are allowed`;
	if (!/^[A-Za-z]/.test(name)) return 'it must begin with a letter';
	if (name.endsWith('-')) return 'it must end with a letter or a digit';
	if (!namePattern.test(name)) return 'only letters, digits and hyphens are allowed';
	return undefined;
}

/** @throws DroverError `instance.name-invalid` */
export function checkName(name: string): void {
	const problem = nameProblem(name);
	if (problem === undefined) return;
	throw new DroverError(
		'instance.name-invalid',
		`Invalid instance name supplied: ${quoted(name.slice(0, 80))}: ${problem}.`,
		{next: 'Use letters, digits and hyphens, for example web-1.'},
	);
}

/** A text in quotes, with what cannot be seen, or would steer a terminal, written out. */
function quoted(text: string): string {
	return JSON.stringify(text).replace(/\p{C}/gu, character => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

const adjectives =
	'able agile amber apt azure bold brave bright brisk calm candid cheery clear clever cosy crisp deft eager early easy fair famous fancy fast fine fond frank fresh glad gentle golden grand great happy hardy honest humble jolly keen kind large lively loyal lucky mellow merry mighty modest neat nimble noble open patient plain polite proud quick quiet rapid ready rosy sharp silent simple sleek smart smooth snug solid spry steady still strong sunny sure swift tidy true upbeat vivid warm wise witty young zesty';
const nouns =
	'adder badger bear beaver bison bongo buck camel civet cod colt condor cougar crane crow dingo dove eagle egret elk falcon finch fox gecko goat goose grouse gull hare hawk heron hornet horse ibex ibis impala jackal jay kite koala lark lemur lion llama lynx magpie marmot martin mink mole moose moth newt ocelot oriole osprey otter owl panda parrot pelican perch pigeon pike pony puma quail rabbit ram raven robin salmon seal shrew skunk sloth snail snipe sparrow squid stag stork swan tapir tern tiger toad trout tuna turtle viper vole walrus weasel whale wolf wombat wren yak zebra';

/**
 * A two-word name that is not taken.
 * @param random gives a number in [0, 1); the only source of chance, so that tests can fix it
 */
export function generateName(isTaken: (name: string) => boolean, random: () => number): string {
	const pick = (words: string) => {
		const list = words.split(' ');
		return list[Math.floor(random() * list.length)]!;
	};
	for (let attempt = 0; attempt < 200; attempt++) {
		const name = `${pick(adjectives)}-${pick(nouns)}`;
		if (!isTaken(name)) return name;
	}
	for (let number = 2; ; number++) {
		const name = `${pick(adjectives)}-${pick(nouns)}-${number}`;
		if (!isTaken(name)) return name;
	}
}
