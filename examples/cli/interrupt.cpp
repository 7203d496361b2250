#include "interrupt.hpp"

#include <csignal>

namespace cli {

namespace {

volatile std::sig_atomic_t signalled = 0;

extern "C" void note_signal(int signal) {
  signalled = 1;
  std::signal(signal, SIG_DFL);
#ifdef SIGHUP
  // Whoever read our messages has gone too: the saving must not end at the first of them.
  if (signal == SIGHUP) std::signal(SIGPIPE, SIG_IGN);
#endif
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
#ifdef SIGHUP
  // Under nohup it is ignored, and stays so.
  if (std::signal(SIGHUP, note_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
#endif
}

bool interrupted() { return signalled != 0; }

void stop_if_interrupted() {
  if (interrupted()) throw interruption();
}

}  // namespace cli
