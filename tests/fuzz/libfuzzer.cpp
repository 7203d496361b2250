// The entry that libFuzzer calls, in a program of one target.

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::run(fuzz::targets().front(), {data, size});
  return 0;
}
