import type {SettingReader} from '../../drivers/driver.ts';
import {DroverError} from '../../model/errors.ts';
import type {Mount} from '../../model/mount.ts';
import {templateName} from '../../model/profile.ts';
import type {Paths} from '../../state/paths.ts';
import type {LaunchRequest} from '../engine.ts';
import {findProfile, mountParts, type StoredProfile} from './profiles.ts';
import {cloudTemplate} from './templates.ts';

/** A request with nothing left to be added but what its image decides. */
export type Wishes = Omit<LaunchRequest, 'profile' | 'template'> & {
	readonly image: string;
	/** The template its cloud-config is to be made from, when it is not there already. */
	readonly template?: string;
};

type House = {
	readonly paths: Pick<Paths, 'config'>;
	readonly setting: SettingReader;
	/** How a profile's directories are mounted. */
	readonly mountType: Mount['type'];
};

/**
 * What a launch comes to when its profile and the settings have had their say. What was asked for itself goes first, and
 * of lists the whole list.
 * @throws DroverError `usage.invalid` when there is no such profile
 */
export async function wishesOf(house: House, request: LaunchRequest): Promise<Wishes> {
	const {profile: name, template, ...asked} = request;
	if (asked.cloudInit !== undefined && template !== undefined) {
		throw new DroverError('usage.invalid', 'A launch takes one cloud-config: a text or a template.');
	}
	const profile = name === undefined ? undefined : await findProfile(house.paths, name);
	const image = asked.image ?? profile?.image ?? house.setting('local.default-image');
	const own = template === undefined ? asked : {...asked, template};
	return profile === undefined ? {...own, image} : {...fromProfile(profile, own, house), ...own, image};
}

function fromProfile(
	profile: StoredProfile,
	asked: Omit<Wishes, 'image'>,
	{mountType}: House,
): Omit<Wishes, 'image' | 'by'> {
	const {cpus, memory, disk, target, timeout, networks, bridged, mounts} = profile;
	const hasNetworks = asked.networks !== undefined || asked.bridged !== undefined;
	const hasCloudInit = asked.cloudInit !== undefined || asked.template !== undefined;
	return {
		...(cpus === undefined ? {} : {cpus}),
		...(memory === undefined ? {} : {memory}),
		...(disk === undefined ? {} : {disk}),
		...(target === undefined ? {} : {target}),
		...(timeout === undefined ? {} : {answerTimeout: timeout}),
		...(hasNetworks || networks.length === 0 ? {} : {networks}),
		...(hasNetworks || bridged === undefined ? {} : {bridged}),
		...(mounts.length === 0 ? {} : {mounts: mounts.map(text => mountOf(text, mountType))}),
		...(hasCloudInit ? {} : cloudInitOf(profile)),
	};
}

function cloudInitOf({cloudInit, cloudInitText}: StoredProfile): {cloudInit?: string; template?: string} {
	if (cloudInitText !== undefined) return {cloudInit: cloudInitText};
	const template = cloudInit === undefined ? undefined : templateName(cloudInit);
	return template === undefined ? {} : {template};
}

function mountOf(text: string, type: Mount['type']): Mount {
	return {...mountParts(text), type, uidMap: [], gidMap: []};
}

/** The cloud-config of a launch, for its image's user. @throws DroverError `usage.invalid` */
export async function cloudInitFor(
	paths: Pick<Paths, 'config'>,
	{cloudInit, template}: Wishes,
	user: string,
): Promise<{readonly cloudInit?: string}> {
	if (template !== undefined) return {cloudInit: await cloudTemplate(paths, template, user)};
	return cloudInit === undefined ? {} : {cloudInit};
}
