// JSON: what parses must come back from its own text.

#include "fuzz/stored_zip.hpp"
#include "fuzz/target.hpp"
#include "minicnn/io/json.hpp"

MINICNN_FUZZ_TARGET(json) {
  const minicnn::json value = minicnn::parse_json(fuzz::as_text(input), "fuzz");
  fuzz::require(minicnn::parse_json(minicnn::write_json(value), "fuzz") == value);
}
