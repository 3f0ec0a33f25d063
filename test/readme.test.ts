import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import {capabilityTable, withTable} from '../scripts/capability-table.ts';
import {capability, capabilityNames} from '../source/drivers/capabilities.ts';
import {driversOn} from '../source/drivers/platforms.ts';
import {driverNames, platformTitles} from '../source/model/driver-name.ts';

const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');

describe('the README', () => {
	test('has the table of what each driver can as the program has it', async () => {
		expect(withTable(readme, await capabilityTable()), 'run: node scripts/capability-table.ts').toBe(readme);
	});

	test('whose table says of each driver and platform what a refusal would say', async () => {
		const lines = (await capabilityTable()).split('\n').filter(line => line.startsWith('|'));
		const cells = lines.map(line => line.split('|').map(cell => cell.trim()));
		const column = (driver: string) => cells[0]!.indexOf(`\`${driver}\``);
		const titles = ['suspend', 'snapshots', 'native mounts', 'extra networks'];
		for (const driver of driverNames) {
			for (const platform of ['linux', 'darwin', 'win32'] as const) {
				if (!driversOn(platform).includes(driver)) continue;
				for (const [index, name] of capabilityNames.entries()) {
					const text = cells.find(row => row[1] === titles[index])![column(driver)]!;
					const can = capability(driver, platform, name).can === 'yes';
					const isSaid = /^(?:yes|later)$/.test(text) || text.includes(`on ${platformTitles[platform]} `);
					expect(isSaid, `${driver} ${platform} ${name}: ${text}`).toBe(can);
				}
			}
		}
	});
});
