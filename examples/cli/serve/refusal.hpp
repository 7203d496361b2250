#pragma once
// What ends a request without an answer.

#include <string>

namespace cli {

struct refusal {
  int status;          ///< of HTTP, 400 to 599
  std::string reason;  ///< a sentence for whoever asked
  std::string allow;   ///< methods, of a 405
};

}  // namespace cli
