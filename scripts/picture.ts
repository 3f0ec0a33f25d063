/**
 * Takes the README's picture of the dashboard: `node scripts/picture.ts`. It is the built program on a real pty with real
 * instances (a few minutes, most of it booting); what the terminal shows is written as `docs/dashboard.svg`.
 */
import {mkdirSync, writeFileSync} from 'node:fs';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {spawn} from '@lydell/node-pty';
import xterm from '@xterm/headless';
import {Program} from '../test/support/program.ts';

const [columns, rows] = [100, 22];
const [cellWidth, cellHeight, margin] = [8.4, 18, 14];

/** The terminal's own sixteen colours, as a dark terminal has them. */
const palette = [
	'#1c1f26',
	'#e06c75',
	'#98c379',
	'#e5c07b',
	'#61afef',
	'#c678dd',
	'#56b6c2',
	'#abb2bf',
	'#5c6370',
	'#e06c75',
	'#98c379',
	'#e5c07b',
	'#61afef',
	'#c678dd',
	'#56b6c2',
	'#ffffff',
];
const [background, foreground] = ['#1c1f26', '#c8ccd4'];

const drover = await Program.open();
try {
	for (const [name, ...options] of [
		['api-gateway', '--memory', '256M'],
		['build-runner', '--cpus', '2', '--memory', '512M'],
		['db-primary', '--memory', '512M'],
		['web-front'],
		['old-scratch'],
	] as const) {
		await drover.ok('launch', 'micro', '--name', name, ...options);
	}
	await drover.ok('suspend', 'build-runner');
	await drover.ok('delete', 'old-scratch');
	await drover.ok('stop', 'web-front');
	const screen = new xterm.Terminal({cols: columns, rows, allowProposedApi: true});
	const pty = spawn(process.execPath, [drover.file], {
		cols: columns,
		rows,
		env: {...drover.env, LANG: 'C.UTF-8', TERM: 'xterm-256color'} as Record<string, string>,
	});
	pty.onData(data => screen.write(data));
	await sleep(2000);
	pty.write('j');
	await sleep(700);
	const file = fileURLToPath(new URL('../docs/dashboard.svg', import.meta.url));
	mkdirSync(fileURLToPath(new URL('../docs', import.meta.url)), {recursive: true});
	writeFileSync(file, svg(screen));
	pty.write('q');
	await sleep(300);
} finally {
	await drover.close();
}

function svg(screen: InstanceType<typeof xterm.Terminal>): string {
	const buffer = screen.buffer.active;
	const lines = Array.from({length: rows}, (_, y) => lineOf(buffer.getLine(buffer.viewportY + y), y)).join('\n');
	const [width, height] = [columns * cellWidth + 2 * margin, rows * cellHeight + 2 * margin];
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" role="img"><title>The drover dashboard</title>
<rect width="100%" height="100%" rx="8" fill="${background}"/>
${lines}
</svg>
`;
}

type Line = ReturnType<InstanceType<typeof xterm.Terminal>['buffer']['active']['getLine']>;

/** Runs of cells that look the same become one text each, stretched to its columns. */
function lineOf(line: Line, y: number): string {
	const runs: Array<{x: number; text: string; style: string; isInverse: boolean}> = [];
	for (let x = 0; x < columns; x++) {
		const cell = line?.getCell(x);
		if (!cell) continue;
		const color = cell.isFgPalette() ? (palette[cell.getFgColor()] ?? foreground) : foreground;
		const isInverse = cell.isInverse() !== 0;
		const style = `fill="${isInverse ? background : color}"${cell.isBold() ? ' font-weight="bold"' : ''}${cell.isDim() ? ' opacity="0.6"' : ''}`;
		const last = runs.at(-1);
		const text = cell.getChars() || ' ';
		if (last?.style === style && last.isInverse === isInverse) last.text += text;
		else runs.push({x, text, style, isInverse});
	}
	return runs
		.filter(run => run.text.trim() !== '' || run.isInverse)
		.map(run => {
			const [left, width] = [margin + run.x * cellWidth, run.text.length * cellWidth];
			const box = run.isInverse
				? `<rect x="${left}" y="${margin + y * cellHeight}" width="${width}" height="${cellHeight}" fill="${foreground}"/>`
				: '';
			return `${box}<text x="${left}" y="${margin + y * cellHeight + 13}" textLength="${width}" xml:space="preserve" ${run.style}>${escapeXml(run.text)}</text>`;
		})
		.join('');
}

function escapeXml(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
