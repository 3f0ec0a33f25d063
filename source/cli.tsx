import {existsSync, realpathSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {errorData, exitCodeOf} from './model/errors.ts';
import {locate, type Paths} from './state/paths.ts';

/** The exit code when nobody reads on: 128 and the number of SIGPIPE, as other programs have it. */
const unread = 141;

/** Sorts out what is wanted and loads no more than that. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
	const paths = locate();
	if (argv[0] === 'daemon') {
		const {runDaemon} = await import('./protocol/daemon.ts');
		await runDaemon(paths);
		return 0;
	}
	if (argv[0] === 'serve-mount') {
		const {serveMount} = await import('./guest/mount/serve-mount.ts');
		return serveMount();
	}
	if (argv[0] === 'serve-network') {
		const {serveNetwork} = await import('./network/serve-network.ts');
		return serveNetwork();
	}
	const isBare = argv.every(argument => /^-v+$|^--verbose$/.test(argument));
	if (isBare && isScreen()) return dashboard(paths);
	return command(paths, argv);
}

function isScreen(): boolean {
	return process.stdin.isTTY && process.stdout.isTTY && process.env['TERM'] !== 'dumb';
}

async function dashboard(paths: Paths): Promise<number> {
	const [{runDashboard}, {connect}, {userName}] = await Promise.all([
		import('./components/run-dashboard.tsx'),
		import('./protocol/connect.ts'),
		import('./platform/user-name.ts'),
	]);
	const remembered = () => import('./state/last-launch.ts');
	return runDashboard({
		connect: () => connect(paths),
		user: userName(),
		memory: {
			read: async () => (await remembered()).readLastLaunch(paths),
			write: async values => (await remembered()).writeLastLaunch(paths, values),
		},
	});
}

/** How this program is called from elsewhere: by its launcher where it has one beside it. */
function ownCommand(): readonly string[] {
	const program = realpathSync(process.argv[1]!);
	const launcher = path.join(path.dirname(program), '..', 'bin', 'drover');
	// What is beside it for Windows is for cmd, which takes arguments apart anew.
	return existsSync(launcher) && process.platform !== 'win32' ? [launcher] : [process.execPath, program];
}

async function command(paths: Paths, argv: readonly string[]): Promise<number> {
	const [{runCommand}, {processContext}] = await Promise.all([
		import('./commands/run.ts'),
		import('./commands/process-context.ts'),
	]);
	const context = processContext({
		async connect(options) {
			const {connect} = await import('./protocol/connect.ts');
			return connect(paths, options);
		},
		async keys() {
			const {keyTable} = await import('./components/keys/registry.ts');
			return keyTable();
		},
		async aliases() {
			const {aliasStore} = await import('./state/alias-store.ts');
			return aliasStore(paths, {command: ownCommand(), home: process.env['DROVER_HOME']});
		},
	});
	// Who reads us may stop reading, as `head` does: then there is nothing left to do.
	process.stdout.on('error', () => process.exit(unread));
	const code = await runCommand(argv, context);
	await context.closeEngine();
	// A pipe may still hold the last lines: they must be out before the process ends.
	const problem = await new Promise<unknown>(resolve => process.stdout.write('', resolve));
	return problem ? unread : code;
}

try {
	// Whatever may still be open must not keep what is finished.
	process.exit(await main(process.argv.slice(2)));
} catch (error) {
	const data = errorData(error);
	process.stderr.write(`drover failed: ${data.message}\n${data.next === undefined ? '' : `${data.next}\n`}`);
	process.exit(exitCodeOf(data.code));
}
