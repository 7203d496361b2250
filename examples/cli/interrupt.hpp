#pragma once
// Signals: one ends any command at once, but for those that have something to save first.

namespace cli {

/// From now on SIGINT, SIGTERM, SIGXCPU, SIGUSR1, SIGUSR2 or SIGHUP (not under nohup) ends the process at once with exit code
/// 130, whatever it waits for, and SIGPIPE as if it were not handled; temporary files of outputs that are not complete go.
/// SIGXFSZ is ignored: a file that may not grow is an error where it is written.
void end_at_interrupts();

/// From now on the first such signal is noted; a second one ends the process at once.
void catch_interrupts();

/// Back to `end_at_interrupts`, when there is nothing to save any more; what is left to do is done without readers too.
void release_interrupts();

/// True after a signal that was noted.
bool interrupted();

}  // namespace cli
