// For clang's -fsanitize=fuzzer; scripts/fuzz.sh builds and runs it. FUZZ_TARGET names what is fuzzed. With FUZZ_SEEDS the
// target's sound files are written to that folder first.
#include "targets.hpp"

namespace {
const fuzz::target* chosen = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("FUZZ_TARGET");
  const auto found = fuzz::targets().find(name == nullptr ? "" : name);
  if (found == fuzz::targets().end()) {
    std::fprintf(stderr, "FUZZ_TARGET is not one of:");
    for (const auto& [target, ignored] : fuzz::targets()) std::fprintf(stderr, " %s", target.c_str());
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  chosen = &found->second;
  if (const char* const folder = std::getenv("FUZZ_SEEDS"))
    for (std::size_t i = 0; i < chosen->seeds.size(); ++i) {
      std::ofstream file(std::string(folder) + "/seed" + std::to_string(i), std::ios::binary);
      file.write(reinterpret_cast<const char*>(chosen->seeds[i].data()), static_cast<std::streamsize>(chosen->seeds[i].size()));
    }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::run(*chosen, fuzz::bytes(data, data + size));
  return 0;
}
