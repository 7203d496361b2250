// One classifier, several threads that ask it: how a server predicts. Each line of standard input is the path of a picture.
//   find photos -name '*.jpg' | many_callers weights.safetensors
#include <minicnn/data/image.hpp>
#include <minicnn/minicnn.hpp>

#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) try {
  using namespace minicnn;
  // One thread a call: callers share the processors, not the pictures. Their memory is kept from call to call.
  const auto model = load_classifier(argc > 1 ? argv[1] : "weights.safetensors", {.threads = 1});

  std::mutex input, output;
  const auto serve = [&] {
    std::string path;
    for (;;) {
      {
        const std::scoped_lock lock(input);
        if (!std::getline(std::cin, path)) return;
      }
      std::string answer;
      try {
        const ranked_class top = model.predict(load_image(path)).front();
        answer = text_of(path, ": ", top.name, ", ", top.probability);
      } catch (const error& e) {  // of this picture; the next one is served all the same
        answer = e.what();
      }
      const std::scoped_lock lock(output);
      std::puts(answer.c_str());
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < resolve_threads(0); ++i) callers.emplace_back(serve);
  for (std::thread& t : callers) t.join();
} catch (const minicnn::error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
