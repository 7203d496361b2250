#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <io.h>
#include <windows.h>

#include <atomic>

#include "commands.hpp"
#include "interrupt.hpp"

namespace cli {

namespace {

std::atomic<bool> catching = false, signalled = false;

/// Ctrl-C, Ctrl-Break, a closed window, the end of a session. Runs on a thread of its own.
BOOL WINAPI handle_event(DWORD event) {
  const bool first = !signalled.exchange(true);
  if (catching && first) {
    // Windows ends the process when this returns for a closed window, and after five seconds at the latest.
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) Sleep(INFINITE);
    return TRUE;
  }
  const char text[] = "\nminicnn: interrupted\n";
  (void)_write(2, text, sizeof text - 1);
  TerminateProcess(GetCurrentProcess(), exit_interrupted);
  return TRUE;
}

}  // namespace

void end_at_interrupts() {
  catching = false;
  SetConsoleCtrlHandler(handle_event, TRUE);
}

void catch_interrupts() { catching = true; }

void release_interrupts() { catching = false; }

bool interrupted() { return signalled; }

}  // namespace cli
