// Fetches an image in a process of its own, which a test may kill: `fetch-child.ts DIRECTORY BASE QUERY`.
import process from 'node:process';
import {createImageStore} from '../../../source/images/store.ts';

const [cache = '', base = '', query = ''] = process.argv.slice(2);
const store = createImageStore({
	paths: {cache},
	architecture: 'x64',
	remotes: [{name: 'release', base, directory: 'releases/', hasMirrors: true}],
	distributions: [],
});
const cached = await store.fetch(await store.resolve(query), {
	signal: new AbortController().signal,
	progress: () => undefined,
	log: line => console.log(line),
});
console.log(cached.path);
