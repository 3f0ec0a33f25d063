import {describe, expect, test} from 'vitest';
import {fieldOf} from '../../source/components/store/field.ts';
import {
	type FormContext,
	formCommand,
	formProblems,
	formRequest,
	newForm,
	suggestions,
} from '../../source/components/store/form.ts';
import type {FormField, FormLayer} from '../../source/components/store/model.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {fakeInstance} from '../support/fake-engine.ts';

const context: FormContext = {
	host: {
		name: 'build-03',
		user: 'kim',
		cpus: 4,
		memoryTotal: 16 * gibibyte,
		memoryAvailable: 9 * gibibyte,
		diskFree: 200 * gibibyte,
	},
	instances: [fakeInstance('web'), fakeInstance('scratch', 'Deleted')],
};

function filled(values: Partial<Record<FormField, string>>): FormLayer {
	const form = newForm();
	const fields = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, fieldOf(text)]));
	return {...form, fields: {...form.fields, ...fields}};
}

const problem = (field: FormField, text: string) => formProblems(filled({[field]: text}), context)[field];

describe('problems', () => {
	test.each<[FormField, string, RegExp | undefined]>([
		['name', '', undefined],
		['name', 'web-2', undefined],
		['name', 'web', /taken/],
		['name', 'scratch', /trash/],
		['name', '1web', /begin with a letter/],
		['name', 'web-', /end with/],
		['cpus', '4', undefined],
		['cpus', '5', /this host has 4/],
		['cpus', '0', /at least 1/],
		['cpus', '1.5', /whole number/],
		['memory', '', undefined],
		['memory', '2G', undefined],
		['memory', '64M', /at least 128M/],
		['memory', '17G', /this host has 16/],
		['memory', '2X', /not a size/],
		['disk', '10G', undefined],
		['disk', '100M', /at least 512M/],
		['image', 'micro', undefined],
		['image', 'two words', /no spaces/],
	])('%s "%s": %s', (field, text, expected) => {
		if (expected === undefined) expect(problem(field, text)).toBeUndefined();
		else expect(problem(field, text)).toMatch(expected);
	});
});

test('the request has only what was given', () => {
	expect(formRequest(filled({name: 'web-2', cpus: '', memory: '2G'}))).toEqual({name: 'web-2', memory: 2 * gibibyte});
});

test('the command line is the same thing, quoted where a shell needs it', () => {
	const form = filled({name: 'web-2', image: 'file:///srv/my image.qcow2', cpus: '2', memory: '2G', disk: '10G'});
	expect(formCommand(form, {})).toBe(
		"drover launch 'file:///srv/my image.qcow2' --name web-2 --cpus 2 --memory 2G --disk 10G",
	);
	expect(formCommand(filled({memory: '2X'}), {memory: 'no'})).toBe('drover launch --cpus 1 --memory ??');
});

test('images are suggested by what is typed, until one is typed whole', () => {
	const image = (name: string, description: string) => ({
		name,
		remote: '',
		aliases: [],
		os: 'Ubuntu',
		release: name,
		version: '1',
		description,
		cached: false,
	});
	const images = [image('24.04', 'noble, lts'), image('22.04', 'jammy'), image('micro', 'built here')];
	const named = (text: string) => suggestions({...filled({image: text}), images}).map(found => found.name);
	expect(named('')).toEqual([]);
	expect(named('04')).toEqual(['24.04', '22.04']);
	expect(named('lts')).toEqual(['24.04']);
	expect(named('micro')).toEqual([]);
	expect(named('zzz')).toEqual([]);
});
