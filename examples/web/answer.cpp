// A trained network inside a web page: scripts/web.sh compiles this to WebAssembly, worker.js calls it.

#include <emscripten/bind.h>

#include "page_model.hpp"

namespace {

web::page_model& model() {
  static web::page_model loaded("/weights.safetensors");
  return loaded;
}

std::string note() { return model().note(); }
std::string answer(const std::string& file, bool explained) { return model().answer(file, explained); }

}  // namespace

EMSCRIPTEN_BINDINGS(minicnn) {
  emscripten::function("note", &note);
  emscripten::function("answer", &answer);
}
