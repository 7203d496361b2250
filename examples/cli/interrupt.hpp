#pragma once
// Ctrl-C as a request: long commands finish what must not be left half done.

#include <exception>

namespace cli {

/// From now on the first SIGINT, SIGTERM or SIGHUP (not under nohup) is noted; a second one ends the process at once.
void catch_interrupts();

/// True after such a signal.
bool interrupted();

/// Ends a command with exit code 130.
struct interruption : std::exception {
  const char* what() const noexcept override { return "interrupted"; }
};

/// Throws `interruption` if interrupted.
void stop_if_interrupted();

}  // namespace cli
