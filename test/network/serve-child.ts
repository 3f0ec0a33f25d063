import process from 'node:process';
import {serveNetwork} from '../../source/network/serve-network.ts';

process.exit(await serveNetwork());
