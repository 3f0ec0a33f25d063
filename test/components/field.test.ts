import {expect, test} from 'vitest';
import {edit, emptyField, fieldOf, insert} from '../../source/components/store/field.ts';

const press = (name: string, text = '') => ({name, text});

test('typing, moving and erasing', () => {
	let field = emptyField;
	for (const letter of 'wbe') field = edit(field, press(letter, letter))!;
	field = edit(field, press('left'))!;
	field = edit(field, press('backspace'))!;
	expect(field).toEqual({text: 'we', at: 1});
	field = edit(field, press('end'))!;
	field = edit(field, press('b', 'b'))!;
	expect(field).toEqual({text: 'web', at: 3});
	expect(edit(field, press('ctrl-u'))).toEqual(emptyField);
});

test('keys that do not edit are left to others', () => {
	expect(edit(fieldOf('web'), press('enter'))).toBeUndefined();
	expect(edit(fieldOf('web'), press('esc'))).toBeUndefined();
	expect(edit(fieldOf('web'), press('up'))).toBeUndefined();
});

test('erasing at the ends does nothing', () => {
	expect(edit({text: 'a', at: 0}, press('backspace'))).toEqual({text: 'a', at: 0});
	expect(edit(fieldOf('a'), press('delete'))).toEqual(fieldOf('a'));
});

test('what is put in has no control characters and no line breaks', () => {
	expect(insert(emptyField, 'a\u001B[31mb\nc\u0007').text).toBe('ab c');
});

test('a text has an end', () => {
	expect(insert(emptyField, 'x'.repeat(10_000)).text).toHaveLength(1024);
});
