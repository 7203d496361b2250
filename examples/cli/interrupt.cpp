#include "interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "commands.hpp"

namespace cli {

namespace {

volatile std::sig_atomic_t catching = 0, signalled = 0, terminal = 0;

/// Appends to a text in a buffer of fixed size; handlers of signals can have no other.
struct signal_text {
  char bytes[64] = "";
  std::size_t size = 0;

  void add(const char* more) {
    while (*more != '\0' && size + 1 < sizeof bytes) bytes[size++] = *more++;
    bytes[size] = '\0';
  }
  void add(long number) {
    char digits[24];
    std::size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    add(digits + at);
  }
};

/// Removes what minicnn::atomic_file has open: files whose names hold ".tmp-" and our number. The system's list of descriptors
/// tells them, so that nothing has to keep one; where there is none (/proc) they stay, as after a kill.
void remove_temporaries() {
  signal_text mark;
  mark.add(".tmp-");
  mark.add(static_cast<long>(getpid()));
  mark.add("-");
  for (long number = 3; number < 256; ++number) {
    signal_text link;
    link.add("/proc/self/fd/");
    link.add(number);
    char name[4096];
    const ssize_t length = readlink(link.bytes, name, sizeof name - 1);
    if (length <= 0) continue;
    name[length] = '\0';
    if (std::strstr(name, mark.bytes) != nullptr) unlink(name);
  }
}

/// Ctrl-C, kill, a closed terminal, a reader of our messages or results that has gone, a limit of processor time (`ulimit -t`),
/// which warns so before it kills, and what batch systems send before a job's time is up (Slurm's --signal=USR1@120).
constexpr int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU, SIGUSR1, SIGUSR2};

extern "C" void handle_signal(int signal) {
  if (signal == SIGXCPU && signalled != 0) return;  // comes again every second
  if (catching != 0 && signalled == 0) {
    signalled = 1;
    // Whoever read our messages may have gone: the saving must not end at the first of them.
    ::signal(SIGPIPE, SIG_IGN);
    return;
  }
  remove_temporaries();
  if (signal == SIGPIPE) {  // nobody reads what could be said; shells expect this end of `minicnn predict ... | head`
    ::signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
    return;
  }
  const char text[] = "\nminicnn: interrupted\n";
  const std::size_t skipped = terminal != 0 ? 0 : 1;  // a terminal shows ^C in the line
  if (write(STDERR_FILENO, text + skipped, sizeof text - 1 - skipped) < 0) _exit(exit_interrupted);
  _exit(exit_interrupted);
}

/// Without SA_RESTART: a system call that waits must not go on as if nothing had been.
void handle(int signal) {
  struct sigaction now {};
  // Under nohup SIGHUP is ignored, and stays so; shells ignore SIGINT for what runs in the background, where it still is a wish.
  const bool stays = signal == SIGHUP || signal == SIGPIPE;
  if (stays && sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) return;
  now = {};
  now.sa_handler = handle_signal;
  sigemptyset(&now.sa_mask);
  sigaction(signal, &now, nullptr);
}

}  // namespace

void end_at_interrupts() {
  terminal = isatty(STDERR_FILENO);
  catching = 0;
  ::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : ending) handle(signal);
}

void catch_interrupts() {
  catching = 1;
  for (const int signal : ending) handle(signal);
}

void release_interrupts() {
  catching = 0;
  ::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return signalled != 0; }

}  // namespace cli
