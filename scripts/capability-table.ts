/**
 * Writes the README's table of what each driver can: `node scripts/capability-table.ts`. It is made from what the program
 * itself goes by (the capability table, the platforms, the methods of the drivers), and a test holds the README to it.
 */
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {type CapabilityName, capabilityProfile, capabilityTitles} from '../source/drivers/capabilities.ts';
import {type Features, featuresOf} from '../source/drivers/features.ts';
import {classicMountProblem, defaultDriver, driversOn} from '../source/drivers/platforms.ts';
import {loadDriver} from '../source/drivers/registry.ts';
import {verificationOf, verificationSentence, verificationTitles} from '../source/drivers/verification.ts';
import {type DriverName, driverNames, type Platform, platformTitles} from '../source/model/driver-name.ts';
import {systemOf} from '../source/platform/system.ts';
import {locate} from '../source/state/paths.ts';

const readme = fileURLToPath(new URL('../README.md', import.meta.url));
const marks = [
	'<!-- what drivers can: made by scripts/capability-table.ts -->',
	'<!-- end of what drivers can -->',
] as const;

const platforms: readonly Platform[] = ['linux', 'darwin', 'win32'];

type Row = readonly [title: string, cell: (driver: DriverName, features: Features) => string];

/** The words under the table: nothing else stands in its cells. */
const legend =
	'yes: in this version. by the pool: every clone, where the storage pool can copy on write. later: the driver could, and this version of drover does not yet. no: the driver cannot, and drover says so with the ones that can. verified: real hosts, where the tests run it on the real hypervisor; recordings, against what the real one was recorded to say; experimental, made by what is documented.';

/** What the capability table governs, and the features of which one is what this version does of it. */
const capabilityRows: ReadonlyArray<readonly [CapabilityName, readonly string[]]> = [
	['suspend', []],
	['snapshots', ['snapshots']],
	['nativeMounts', ['mount', 'plug']],
	['extraNetworks', ['networks']],
];

/** What it does not: each driver could. */
const otherRows: ReadonlyArray<readonly [string, string]> = [
	['forwarding ports', 'forwards'],
	['figures of use', 'metrics'],
	['a way in without SSH', 'direct'],
];

const rows: readonly Row[] = [
	['platforms', driver => titles(platforms.filter(platform => driversOn(platform).includes(driver)))],
	['default on', driver => defaultOn(driver)],
	['verified', driver => verifiedBy(driver)],
	...capabilityRows.map(
		([name, needed]): Row => [
			capabilityTitles[name],
			(driver, features) => capabilityCell(driver, name, hasOne(features, needed)),
		],
	),
	['mounts over SSH', driver => classicMounts(driver)],
	['changing cpus, memory, disk', (_driver, features) => resizing(features)],
	['clones', (_driver, features) => (hasOne(features, ['clone']) ? 'yes' : 'later')],
	['linked clones', (_driver, features) => linking(features)],
	...otherRows.map(
		([title, feature]): Row => [title, (_driver, features) => (hasOne(features, [feature]) ? 'yes' : 'later')],
	),
	['clusters', (_driver, features) => (hasOne(features, ['members']) ? 'yes' : 'no')],
];

function hasOne({features}: Features, needed: readonly string[]): boolean {
	return needed.length === 0 || needed.some(name => (features as readonly string[]).includes(name));
}

function titles(names: readonly Platform[]): string {
	return names.map(name => platformTitles[name]).join(', ');
}

/** How far the project's own tests vouch for it; for each platform where that differs. */
function verifiedBy(driver: DriverName): string {
	const found = platforms.flatMap(platform => {
		const level = verificationOf(driver, platform)?.level;
		return level === undefined ? [] : [{platform, title: verificationTitles[level]}];
	});
	const kinds = [...new Set(found.map(({title}) => title))];
	if (kinds.length === 1) return kinds[0]!;
	return found.map(({platform, title}) => `${title} (${platformTitles[platform]})`).join('; ');
}

/** What was run for each driver and platform, and what was not: the sentences that drover says itself. */
export function verificationList(): string {
	const lines = driverNames.flatMap(driver =>
		platforms.flatMap(platform => {
			const found = verificationOf(driver, platform);
			if (found === undefined) return [];
			return [`- \`${driver}\` on ${platformTitles[platform]}: ${verificationSentence(found)}.`];
		}),
	);
	return `${lines.join('\n')}\n`;
}

function defaultOn(driver: DriverName): string {
	const places = platforms
		.filter(platform => defaultDriver(platform, 'x64') === driver)
		.map(name => platformTitles[name]);
	const isElsewhere = defaultDriver('linux', 'x64') !== driver && defaultDriver('linux', 'arm64') === driver;
	return [...places, ...(isElsewhere ? ['Linux but for amd64'] : [])].join(', ');
}

function capabilityCell(driver: DriverName, name: CapabilityName, isDone: boolean): string {
	const entry: boolean | readonly Platform[] = capabilityProfile.table[driver][name];
	if (entry === false) return 'no';
	const what = isDone ? 'yes' : 'later';
	return entry === true ? what : `no; on ${titles(entry)} ${what}`;
}

/** What serves them is on the host, whatever the driver. */
function classicMounts(driver: DriverName): string {
	const own = platforms.filter(platform => driversOn(platform).includes(driver));
	const able = own.filter(platform => classicMountProblem(platform) === undefined);
	if (able.length === own.length) return 'yes';
	return able.length === 0 ? 'later' : `yes; ${titles(own.filter(platform => !able.includes(platform)))} later`;
}

function linking(features: Features): string {
	if (hasOne(features, ['linkedClone'])) return 'yes';
	return features.sharesByItself ? 'by the pool' : 'later';
}

function resizing(features: Features): string {
	if (!hasOne(features, ['resize'])) return 'later';
	const isLive = (name: string) => (features.resizesLive as readonly string[]).includes(name);
	const all = ['cpus', 'memory', 'disk'];
	const [live, resting] = [all.filter(isLive), all.filter(name => !isLive(name))];
	if (live.length === 0) return 'at rest';
	const rest = resting.length === 0 ? '' : `; ${resting.join(', ')} at rest`;
	return `${live.join(', ')} while it runs${rest}`;
}

async function featuresOn(name: DriverName, platform: Platform): Promise<Features> {
	const driver = await loadDriver(name, {
		paths: locate({DROVER_HOME: '/nowhere'}, 'linux'),
		setting: () => '',
		system: systemOf(platform),
	});
	const features = featuresOf(driver);
	driver?.close?.();
	return features;
}

/** The table in Markdown, one column a driver. */
export async function capabilityTable(): Promise<string> {
	const all = await Promise.all(
		driverNames.map(async name => {
			const found = await Promise.all(
				platforms.filter(platform => driversOn(platform).includes(name)).map(platform => featuresOn(name, platform)),
			);
			// What it has on one platform only is what the capability table has a yes for there only.
			const features = [...new Set(found.flatMap(each => each.features))];
			return {name, features: {...found[0]!, features}};
		}),
	);
	const lines = [
		['', ...all.map(({name}) => `\`${name}\``)],
		['---', ...all.map(() => '---')],
		...rows.map(([title, cell]) => [title, ...all.map(({name, features}) => cell(name, features))]),
	];
	return `${lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')}\n\n${legend}\n\n${verificationList()}`;
}

/** A text with the table between its marks. @throws Error when they are not there */
export function withTable(text: string, table: string): string {
	const [from, to] = [text.indexOf(marks[0]), text.indexOf(marks[1])];
	if (from < 0 || to < from) throw new Error(`The README has no place for the table: ${marks.join(' ')}`);
	return `${text.slice(0, from + marks[0].length)}\n\n${table}\n${text.slice(to)}`;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), await capabilityTable()));
}
