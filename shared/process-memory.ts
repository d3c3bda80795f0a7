import { writeFileSync } from "node:fs";

/**
 * Keeps the environment and the memory of this process, both of which contain secrets, out of diagnostic reports and
 * core files, and out of the debugger that SIGUSR1 starts, to which every user of the machine can connect. A process of
 * the same user, and root, can still read both.
 */
export function protectMemory(): void {
  Object.assign(process.report, {
    excludeEnv: true,
    reportOnFatalError: false,
    reportOnSignal: false,
    reportOnUncaughtException: false,
  });
  // A listener replaces the handler that starts the debugger.
  process.on("SIGUSR1", () => undefined);
  try {
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch {
    // Not Linux.
  }
}
