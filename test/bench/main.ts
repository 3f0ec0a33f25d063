// Measures drover and prints a table: `node test/bench/main.ts [NAME...]`, by default everything but `forty`.
// Times are given as ratios to something else measured in the same run, because machines differ. It judges nothing:
// it ends with success whatever the figures are.
import {cpus, loadavg} from 'node:os';
import process from 'node:process';
import {causeText} from '../../source/model/errors.ts';
import {list} from './command-line.ts';
import {firstFrame, keysAndQuiet} from './dashboard.ts';
import {type Figure, printFigures} from './figures.ts';
import {imageDownload} from './images.ts';
import {launching} from './launching.ts';
import {lxd} from './lxd.ts';
import {daemon, forty, suspendAndResume} from './machines.ts';
import {metrics} from './metrics.ts';
import {mounts} from './mounts.ts';
import {network} from './network.ts';
import {checkProgram} from './place.ts';
import {switching} from './switching.ts';
import {virtualbox} from './virtualbox.ts';

const benches: Readonly<Record<string, () => Promise<Figure[]>>> = {
	'first-frame': firstFrame,
	keys: keysAndQuiet,
	list,
	launch: launching,
	suspend: suspendAndResume,
	daemon,
	switch: switching,
	images: imageDownload,
	lxd,
	virtualbox,
	metrics,
	mounts,
	network,
	forty,
};
/** Takes minutes and some ten GiB of memory, so only when asked for. */
const onlyWhenAsked = new Set(['forty']);

checkProgram();
const asked = process.argv.slice(2);
const unknown = asked.filter(name => !(name in benches));
if (unknown.length > 0) {
	console.error(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.`);
	process.exit(1);
}
const figures: Figure[] = [];
for (const [name, bench] of Object.entries(benches)) {
	if (asked.length > 0 ? !asked.includes(name) : onlyWhenAsked.has(name)) continue;
	process.stderr.write(`${name} ...\n`);
	try {
		figures.push(...(await bench()));
	} catch (error) {
		figures.push({what: name, value: 'not measured', note: causeText(error)});
	}
}
const [load] = loadavg();
console.log(
	`${cpus().length} processors (${cpus()[0]?.model.trim()}), Node ${process.versions.node}, load ${load!.toFixed(1)} at the end`,
);
printFigures(figures);
// A pty may keep the process.
process.exit(0);
