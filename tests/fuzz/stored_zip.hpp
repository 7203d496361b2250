#pragma once
// A zip archive in memory with right checksums, so that a fuzzer's changes reach what lies behind them.

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "minicnn/io/crc32.hpp"
#include "minicnn/io/zip_writer.hpp"

namespace fuzz {

inline std::string stored_zip(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  using minicnn::detail::append_little_endian;
  std::string out, directory;
  for (const auto& [name, content] : entries) {
    std::string common("\x0A\0\0\0\0\0\0\0\x21\0", 10);  // version, flags, method, time, date
    append_little_endian(common, minicnn::crc32(content), 4);
    append_little_endian(common, content.size(), 4);
    append_little_endian(common, content.size(), 4);
    append_little_endian(common, name.size(), 2);
    append_little_endian(common, 0, 2);
    directory.append("PK\1\2\x0A\0", 6).append(common).append(10, '\0');
    append_little_endian(directory, out.size(), 4);
    directory += name;
    out.append("PK\3\4").append(common).append(name).append(content);
  }
  const std::size_t begin = out.size();
  out.append(directory).append("PK\5\6").append(4, '\0');
  append_little_endian(out, entries.size(), 2);
  append_little_endian(out, entries.size(), 2);
  append_little_endian(out, directory.size(), 4);
  append_little_endian(out, begin, 4);
  append_little_endian(out, 0, 2);
  return out;
}

inline std::span<const unsigned char> as_bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const unsigned char> input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

}  // namespace fuzz
