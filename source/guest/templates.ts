import type {CloudTemplate} from '../model/profile.ts';

/** @param user the image's own user, whom drover logs in as */
type Shipped = Omit<CloudTemplate, 'file' | 'problem' | 'text'> & {readonly text: (user: string) => string};

/** Cloud-configs that come with drover. Those that install packages need a mirror of the image's distribution. */
const shipped: readonly Shipped[] = [
	{
		name: 'docker',
		title: 'Docker',
		about: "Debian and Ubuntu: the distribution's docker.io, which the image's user may use",
		text: user => `package_update: true
packages:
  - docker.io
runcmd:
  - [usermod, -aG, docker, ${user}]
`,
	},
	{
		name: 'podman',
		title: 'Podman',
		about: 'any distribution that has a package of that name',
		text: () => `package_update: true
packages:
  - podman
`,
	},
	{
		name: 'build-tools',
		title: 'Build tools',
		about: 'Debian and Ubuntu: compiler, make, git and what builds need to find libraries',
		text: () => `package_update: true
packages:
  - build-essential
  - git
  - pkg-config
  - curl
`,
	},
	{
		name: 'upgraded',
		title: 'All packages up to date',
		about: 'takes as long as the image is old',
		text: () => `package_update: true
package_upgrade: true
`,
	},
	{
		name: 'password',
		title: 'Login on the console',
		about: 'a password by chance for the image’s user; "drover console NAME" shows it',
		text: user => `chpasswd:
  expire: false
  users:
    - name: ${user}
      type: RANDOM
system_info:
  default_user:
    lock_passwd: false
`,
	},
];

/** The templates that come with drover, for an image's user. */
export function shippedTemplates(user = 'ubuntu'): readonly CloudTemplate[] {
	return shipped.map(template => ({...template, text: `#cloud-config\n${template.text(user)}`}));
}
