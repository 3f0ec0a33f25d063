// Becomes dist/drover.js: runs one of the two programs beside it, with the code that V8 compiled for it the last time.
// Node's own cache of compiled code (module.enableCompileCache) holds only what is compiled before anything runs; this
// one also holds the functions that were used, so that the dashboard's first frame is there a quarter sooner. It is kept
// apart for each use, since what is not used only costs. Where nothing can be kept, starting is slower and that is all.
const {mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} = process.getBuiltinModule('node:fs');
const {Script} = process.getBuiltinModule('node:vm');

const build = 'drover-build-id_';
const directory = import.meta.dirname;
const words = process.argv.slice(2);
const isDashboard = words.every(word => /^-v+$|^--verbose$/.test(word));
const isWhole = isDashboard || words[0] === 'daemon';

/** Milliseconds after which a program that stays has used what it needs to start. */
const started = 3000;

async function start(program, use) {
	const filename = `${directory}/${program}.js`;
	// ASCII, so that it need not be decoded.
	const text = readFileSync(filename, 'latin1');
	// V8 tells texts apart by their length only. In the moment of an upgrade a program may be of another build.
	const isOurs = text.endsWith(`//${build}\n`);
	const place = `${directory}/code/${use}-${process.version}-${process.arch}-${build}`;
	const cachedData = isOurs ? read(place) : undefined;
	const script = new Script(text, {filename, cachedData});
	if (isOurs && (cachedData === undefined || script.cachedDataRejected)) keep(script, place);
	await script.runInThisContext()();
}

function read(place) {
	try {
		return readFileSync(place);
	} catch {
		return undefined;
	}
}

function keep(script, place) {
	let isKept = false;
	const write = () => {
		if (isKept) return;
		isKept = true;
		const aside = `${place}.${process.pid}`;
		try {
			mkdirSync(`${directory}/code`, {recursive: true, mode: 0o700});
			// Flushed before it is renamed: V8 would trust a file that a power failure left incomplete.
			writeFileSync(aside, script.createCachedData(), {mode: 0o600, flush: true});
			renameSync(aside, place);
		} catch {
			try {
				rmSync(aside, {force: true});
			} catch {}
		}
	};
	// A dashboard or daemon may be ended by a signal. A command that failed has not used what it usually uses.
	if (isWhole) setTimeout(write, started).unref();
	process.on('exit', code => {
		if (code === 0) write();
	});
}

/** For the program for commands, when it turns out that it needs more than it has. */
globalThis.droverWhole = () => start('all', 'whole');

if (isWhole) await start('all', isDashboard ? 'dashboard' : 'daemon');
else await start('command', /^[a-z]{1,20}$/.test(words[0]) ? words[0] : 'command');
