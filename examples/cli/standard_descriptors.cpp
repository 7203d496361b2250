#include "standard_descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace cli {

void open_standard_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (fcntl(number, F_GETFD) >= 0) continue;
    // Of the wrong direction, so that results do not get lost without a word. The lowest free number is the one that is closed.
    const int opened = open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY);
    if (opened < 0) (void)open("/", O_RDONLY | O_DIRECTORY);
  }
}

}  // namespace cli
