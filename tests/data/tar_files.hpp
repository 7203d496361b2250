#pragma once
// Headers and members of tar files, as bytes.
#include <cstdio>
#include <string>

namespace tar_files {

inline std::string with_checksum(std::string header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 7, text, 7);
  return header;
}

inline std::string header(const std::string& name, long size, char type) {
  std::string h(512, '\0');
  h.replace(0, name.size(), name);
  char text[12];
  std::snprintf(text, sizeof text, "%011lo", static_cast<unsigned long>(size));
  h.replace(124, 12, text, 12);
  h[156] = type;
  h.replace(257, 8, "ustar\00000", 8);
  return with_checksum(h);
}

inline std::string member(const std::string& name, const std::string& bytes, char type = '0') {
  return header(name, static_cast<long>(bytes.size()), type) + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
}

}  // namespace tar_files
