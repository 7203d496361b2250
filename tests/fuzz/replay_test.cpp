// A short, repeatable share of what scripts/fuzz.sh does at length: the sound files, each cut at every byte, and mutations.
#include <doctest/doctest.h>

#include "minicnn/core/random.hpp"
#include "targets.hpp"

namespace {

/// Changes a few bytes, to values that headers stumble over as often as to others; cuts, repeats or removes a stretch.
fuzz::bytes mutated(fuzz::bytes b, minicnn::random_stream& random) {
  constexpr unsigned char odd[] = {0, 1, 0x7F, 0x80, 0xFE, 0xFF};
  const auto place = [&] { return static_cast<std::size_t>(random.below(static_cast<minicnn::index_t>(b.size()))); };
  for (minicnn::index_t n = 1 + random.below(4); n > 0 && !b.empty(); --n) {
    const std::size_t at = place();
    switch (random.below(6)) {
      case 0:
        b[at] = odd[random.below(6)];
        break;
      case 1:
        b[at] = static_cast<unsigned char>(b[at] ^ (1U << random.below(8)));
        break;
      case 2:
        for (std::size_t i = at; i < b.size() && i < at + 4; ++i) b[i] = odd[random.below(6)];
        break;
      case 3:
        b.resize(at);
        break;
      case 4:
        b.erase(
            b.begin() + static_cast<std::ptrdiff_t>(at),
            b.begin() + static_cast<std::ptrdiff_t>((std::min)(b.size(), at + 1 + static_cast<std::size_t>(random.below(8)))));
        break;
      default: {
        const fuzz::bytes part(b.begin() + static_cast<std::ptrdiff_t>(at), b.end());
        const std::size_t to = place();
        b.insert(b.begin() + static_cast<std::ptrdiff_t>(to), part.begin(),
                 part.begin() + static_cast<std::ptrdiff_t>((std::min)(part.size(), std::size_t{16})));
        break;
      }
    }
  }
  return b;
}

}  // namespace

TEST_CASE("every reader takes its sound files") {
  for (const auto& [name, target] : fuzz::targets())
    for (const fuzz::bytes& seed : target.seeds) {
      INFO(name);
      // Pictures and labels share a reader: one of the two refuses the other's files.
      if (name == "idx")
        fuzz::run(target, seed);
      else
        CHECK_NOTHROW(target.run(seed));
    }
}

TEST_CASE("every reader answers cut and mutated files with an error or with something sound") {
  int inputs = 0;
  for (const auto& [name, target] : fuzz::targets()) {
    INFO(name);
    minicnn::random_stream random{minicnn::random_key(1)};
    for (const fuzz::bytes& seed : target.seeds) {
      const std::size_t step = 1 + seed.size() / 300;
      for (std::size_t kept = 0; kept < seed.size(); kept += step, ++inputs)
        fuzz::run(target, fuzz::bytes(seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(kept)));
      for (int i = 0; i < 1000; ++i, ++inputs) fuzz::run(target, mutated(seed, random));
    }
  }
  CHECK(inputs > 20000);
  std::filesystem::remove(fuzz::scratch_file());
}
