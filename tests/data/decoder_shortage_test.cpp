// Too little memory says nothing about a picture.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "pictures.hpp"

using namespace minicnn;

namespace {

/// Address space that may be had, beyond what is in use, while an object lives.
class little_memory {
 public:
  explicit little_memory(rlim_t more) {
    getrlimit(RLIMIT_AS, &before_);
    std::ifstream file("/proc/self/statm");
    rlim_t pages = 0;
    file >> pages;
    rlimit now = before_;
    now.rlim_cur = pages * 4096 + more;
    setrlimit(RLIMIT_AS, &now);
  }
  ~little_memory() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

/// A large picture whose file is small.
pictures::bytes large(bool png) {
  const image_u8 image = pictures::plain(6000, 6000, 200, 10, 10);
  return png ? pictures::png(image) : pictures::jpeg(image, 30);
}

}  // namespace

TEST_CASE("G07 not enough memory is no broken picture, and no reason is left over from another") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("address space cannot be limited under the address sanitizer");
#else
  const pictures::folder folder("shortage");
  pictures::bytes broken = pictures::png(pictures::ramp(40, 40));
  broken.resize(broken.size() - 30);
  folder.write("cat.0.png", broken);
  for (const bool png : {true, false}) {
    folder.write("dog.1.png", large(png));
    const image_dataset data = read_image_folder(folder.path());
    for (const rlim_t room : {rlim_t{1} << 20, rlim_t{20} << 20, rlim_t{60} << 20, rlim_t{110} << 20, rlim_t{180} << 20}) {
      CAPTURE(png);
      CAPTURE(room);
      std::string reason;
      bool bad = false, memory = false;
      {
        const little_memory limited(room);
        try {
          (void)load_image(folder.path("cat.0.png"));
        } catch (const error&) {
        }
        try {
          (void)load_image(folder.path("dog.1.png"));
        } catch (const file_error& e) {
          bad = true;
          reason = e.what();
        } catch (const length_error& e) {
          memory = true;
          reason = e.what();
        } catch (const std::bad_alloc&) {
          memory = true;
        }
      }
      CAPTURE(reason);
      CHECK_FALSE(bad);
      if (room <= (rlim_t{60} << 20)) CHECK(memory);
      if (!reason.empty()) CHECK(reason.find("dog.1.png: not enough memory") != std::string::npos);
    }
    // What is trained on does not depend on it: a loader that leaves out bad pictures ends.
    bool ended = false;
    {
      const little_memory limited(rlim_t{60} << 20);
      try {
        loader<float> pictures(data, all_samples(data), {.batch_size = 1, .workers = 0, .skip_bad = true});
      } catch (const file_error&) {
      } catch (const length_error&) {
        ended = true;
      } catch (const std::bad_alloc&) {
        ended = true;
      }
    }
    CHECK(ended);
  }
#endif
}
