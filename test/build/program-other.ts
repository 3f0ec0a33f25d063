import process from 'node:process';

process.stdout.write('another program\n');
