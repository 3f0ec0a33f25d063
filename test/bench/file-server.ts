// Serves the files of a directory over https on this machine, with the key and certificate in it; prints its port.
import {createReadStream, readFileSync, statSync} from 'node:fs';
import {createServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import path from 'node:path';
import process from 'node:process';

const [, , directory = '.'] = process.argv;
const read = (name: string) => readFileSync(path.join(directory, name));
const server = createServer({key: read('key'), cert: read('cert')}, (request, response) => {
	const file = path.join(directory, path.basename(request.url ?? ''));
	response.writeHead(200, {'content-length': statSync(file).size, etag: '"1"'});
	createReadStream(file, {highWaterMark: 2 ** 20}).pipe(response);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
