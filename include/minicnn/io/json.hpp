#pragma once
/// JSON: `json` (a value), `parse_json` (strict), `write_json`.

#include "minicnn/io/json_parser.hpp"
#include "minicnn/io/json_value.hpp"
#include "minicnn/io/json_writer.hpp"
