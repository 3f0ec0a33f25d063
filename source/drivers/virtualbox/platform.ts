import {constants} from 'node:fs';
import {access} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import type {Platform} from '../../model/driver-name.ts';
import {platformOf} from '../platforms.ts';

/** What is different on each platform, as data: macOS and Windows are tested on any host. */
export type VirtualBoxHost = {
	readonly platform: Platform;
	/** Node's spelling: `x64`, `arm64`. */
	readonly architecture: string;
	readonly environment: Readonly<Record<string, string | undefined>>;
};

export function thisHost(): VirtualBoxHost {
	return {platform: platformOf(process.platform), architecture: process.arch, environment: process.env};
}

/** The rules of paths on a platform, whichever this one is. */
export function pathsOf(platform: Platform): typeof path.posix {
	return platform === 'win32' ? path.win32 : path.posix;
}

/** A variable's value; on Windows names have no case. */
function variable({platform, environment}: VirtualBoxHost, name: string): string | undefined {
	if (platform !== 'win32') return environment[name] || undefined;
	const key = Object.keys(environment).find(each => each.toLowerCase() === name.toLowerCase());
	return key === undefined ? undefined : environment[key] || undefined;
}

/**
 * Where VBoxManage may be, the likeliest first. Its installer tells its directory in a variable on Windows, and puts it
 * into no `PATH` there; on macOS a link is made that a locked-down system does not have.
 */
export function programPlaces(host: VirtualBoxHost): string[] {
	const {join, isAbsolute, delimiter} = pathsOf(host.platform);
	const name = host.platform === 'win32' ? 'VBoxManage.exe' : 'VBoxManage';
	const onPath = (variable(host, 'PATH') ?? '').split(delimiter).filter(each => isAbsolute(each));
	const told = ['VBOX_MSI_INSTALL_PATH', 'VBOX_INSTALL_PATH'].flatMap(each => variable(host, each) ?? []);
	const programs = ['ProgramW6432', 'ProgramFiles', 'ProgramFiles(x86)'].flatMap(each => variable(host, each) ?? []);
	const places: Readonly<Record<Platform, readonly string[]>> = {
		linux: onPath,
		darwin: [...onPath, '/usr/local/bin', '/opt/homebrew/bin', '/Applications/VirtualBox.app/Contents/MacOS'],
		win32: [...told, ...onPath, ...[...programs, 'C:\\Program Files'].map(each => join(each, 'Oracle', 'VirtualBox'))],
	};
	return [...new Set(places[host.platform].map(each => join(each, name)))];
}

/** @returns the first that is there and can be run; nothing is run for it */
export async function findManage(
	host: VirtualBoxHost,
	canRun: (file: string) => Promise<boolean> = isExecutable,
): Promise<string | undefined> {
	for (const file of programPlaces(host)) if (await canRun(file)) return file;
	return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
	return access(file, constants.X_OK).then(
		() => true,
		() => false,
	);
}

const passed: Readonly<Record<Platform, readonly string[]>> = {
	linux: ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR'],
	darwin: ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR'],
	win32: [
		...['PATH', 'PATHEXT', 'SystemRoot', 'SystemDrive', 'windir', 'ComSpec', 'TEMP', 'TMP', 'USERNAME', 'USERPROFILE'],
		...['HOMEDRIVE', 'HOMEPATH', 'APPDATA', 'LOCALAPPDATA', 'ProgramData', 'ProgramFiles', 'NUMBER_OF_PROCESSORS'],
	],
};

/** What VBoxManage is given: enough to find the user's machines and to speak English, and none of the caller's secrets. */
export function manageEnvironment(host: VirtualBoxHost): Record<string, string> {
	const names = [...passed[host.platform], 'VBOX_USER_HOME', 'VBOX_IPC_SOCKETID', 'VBOX_MSI_INSTALL_PATH'];
	const given = names.flatMap(name => {
		const value = variable(host, name);
		return value === undefined ? [] : [[name, value] as const];
	});
	return {...Object.fromEntries(given), ...(host.platform === 'win32' ? {} : {LC_ALL: 'C.UTF-8'})};
}

/** Whether a file is below a directory, as the platform compares names. VirtualBox doubles backslashes in some answers. */
export function isBelow(file: string, directory: string, platform: Platform): boolean {
	const {normalize, sep} = pathsOf(platform);
	const plain = (text: string) => {
		const single = platform === 'win32' ? text.replaceAll('\\\\', '\\') : text;
		const normal = normalize(single);
		return platform === 'linux' ? normal : normal.toLowerCase();
	};
	const [inner, outer] = [plain(file), plain(directory)];
	return inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`);
}
