// Becomes dist/drover.js. Compiled code is kept beside it for the next start, which halves what starting costs; where that
// is not possible, starting is slower and nothing else. It is kept apart for commands, the dashboard and the daemon,
// since what is kept is what the first of them used.
const words = process.argv.slice(2);
const isDaemon = words[0] === 'daemon';
const isCommand = !isDaemon && !words.every(word => /^-v+$|^--verbose$/.test(word));
try {
	const {enableCompileCache, flushCompileCache} = process.getBuiltinModule('node:module');
	enableCompileCache(`${import.meta.dirname}/code`);
	// Node writes it when a program ends by itself, but a dashboard or daemon may be ended by a signal.
	if (!isCommand) setTimeout(flushCompileCache, 3000).unref();
} catch {}
await import(isCommand ? './command.js' : isDaemon ? './all.js?daemon' : './all.js');
